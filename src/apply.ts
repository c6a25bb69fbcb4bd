/** `Reflect.apply`, taken once: code of the user's may replace it. */
export const apply = Reflect.apply;
