import { dirname, join, normalize } from 'node:path/posix';
import type TS from 'typescript';
import { ts } from './typescript.js';

/** A room of the house: which files are in it, and what they may reach. */
export interface Room {
  readonly name: string;
  /** Paths under src without `.ts`; one that ends in `/` is a folder with all that is in it. */
  readonly files: readonly string[];
  /** What else than its own files it may import: paths as above, `node:…`, or `node:*`. */
  readonly may: readonly string[];
  /** What it may import as types, besides. */
  readonly types?: readonly string[];
  /** Globals it must not name. */
  readonly without?: readonly string[];
}

/** A rule about one import, whoever has it: only these files may. */
export interface Reserved {
  readonly specifier: string;
  readonly to: readonly string[];
}

/** Stands for a specifier that is no literal. */
export const COMPUTED = 'what a variable says';

interface Import {
  readonly target: string;
  readonly typeOnly: boolean;
}

interface Module {
  readonly imports: readonly Import[];
  readonly globals: ReadonlySet<string>;
}

/**
 * Every breach of the rules, as a sentence; none for a house in order.
 *
 * @param sources text by path under src, without `.ts`
 * @param rooms a file belongs to the first room that lists it
 */
export function breaches(
  sources: ReadonlyMap<string, string>,
  rooms: readonly Room[],
  reserved: readonly Reserved[],
): string[] {
  const modules = new Map([...sources].map(([path, text]) => [path, parse(path, text)] as const));
  const found = [...modules].flatMap(([path, module]) => [
    ...breachesOfRoom(path, module, rooms),
    ...breachesOfReserved(path, module, reserved),
  ]);
  const cycle = firstCycle(modules);
  return cycle === undefined ? found : [...found, `imports go in a circle: ${cycle.join(' → ')}`];
}

function breachesOfRoom(path: string, module: Module, rooms: readonly Room[]): string[] {
  const room = rooms.find(({ files }) => matches(path, files));
  if (room === undefined) return [`${path} belongs to no room`];
  const reach = [...room.files, ...room.may];
  const imports = module.imports
    .filter(({ target, typeOnly }) => !matches(target, typeOnly ? [...reach, ...(room.types ?? [])] : reach))
    .map(({ target, typeOnly }) => `${path} (${room.name}) imports ${target}${typeOnly ? ' as a type' : ''}`);
  const globals = (room.without ?? [])
    .filter((name) => module.globals.has(name))
    .map((name) => `${path} (${room.name}) uses ${name}`);
  return [...imports, ...globals];
}

function breachesOfReserved(path: string, module: Module, reserved: readonly Reserved[]): string[] {
  return reserved
    .filter(
      ({ specifier, to }) => !matches(path, to) && module.imports.some(({ target }) => target === specifier),
    )
    .map(({ specifier, to }) => `${path} imports ${specifier}, which is reserved to ${to.join(', ')}`);
}

function matches(path: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    if (pattern === 'node:*') return path.startsWith('node:');
    return pattern.endsWith('/') ? path.startsWith(pattern) : path === pattern;
  });
}

function parse(path: string, text: string): Module {
  const file = ts.createSourceFile(`${path}.ts`, text, ts.ScriptTarget.ES2022, true);
  const imports: Import[] = [];
  const globals = new Set<string>();
  const declared = declarations(file);
  const add = (specifier: TS.Node | undefined, typeOnly: boolean): void => {
    if (specifier === undefined) return;
    const target = ts.isStringLiteralLike(specifier) ? resolve(path, specifier.text) : COMPUTED;
    imports.push({ target, typeOnly });
  };
  const visit = (node: TS.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node));
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isExternalModuleReference(node)) add(node.expression, false);
    else if (ts.isImportTypeNode(node))
      add(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, true);
    else if (ts.isCallExpression(node) && isLoader(node.expression)) add(node.arguments[0], false);
    else if (ts.isIdentifier(node) && isGlobal(node, declared)) globals.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { imports, globals };
}

function isTypeOnly({ importClause }: TS.ImportDeclaration): boolean {
  if (importClause === undefined) return false;
  if (importClause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const { name, namedBindings } = importClause;
  return (
    name === undefined &&
    namedBindings !== undefined &&
    ts.isNamedImports(namedBindings) &&
    namedBindings.elements.length > 0 &&
    namedBindings.elements.every((element) => element.isTypeOnly)
  );
}

/** `import(…)` and `require(…)`. */
function isLoader(callee: TS.Expression): boolean {
  return (
    callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require')
  );
}

/** The scopes that declare a name, by name. */
type Declarations = ReadonlyMap<string, ReadonlySet<TS.Node>>;

function declarations(file: TS.SourceFile): Declarations {
  const scopes = new Map<string, Set<TS.Node>>();
  const visit = (node: TS.Node): void => {
    if (ts.isIdentifier(node) && isDeclaredName(node)) {
      const known = scopes.get(node.text) ?? new Set();
      scopes.set(node.text, known.add(scopeOf(node.parent)));
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return scopes;
}

function isDeclaredName(node: TS.Identifier): boolean {
  const { parent } = node;
  const declares =
    ts.isVariableDeclaration(parent) ||
    ts.isParameter(parent) ||
    ts.isBindingElement(parent) ||
    ts.isFunctionDeclaration(parent) ||
    ts.isClassDeclaration(parent) ||
    ts.isImportSpecifier(parent) ||
    ts.isNamespaceImport(parent) ||
    ts.isImportClause(parent);
  return declares && parent.name === node;
}

function scopeOf(declaration: TS.Node): TS.Node {
  let scope = declaration.parent;
  while (
    !ts.isBlock(scope) &&
    !ts.isFunctionLike(scope) &&
    !ts.isIterationStatement(scope, false) &&
    !ts.isSourceFile(scope)
  ) {
    scope = scope.parent;
  }
  return scope;
}

/** A name that is used as a value and declared in none of the scopes around it. */
function isGlobal(node: TS.Identifier, declared: Declarations): boolean {
  const { parent } = node;
  if (!isUsedAsValue(node)) return false;
  const scopes = declared.get(node.text);
  for (let around: TS.Node = parent; around !== undefined; around = around.parent) {
    if (scopes?.has(around)) return false;
  }
  return true;
}

function isUsedAsValue(node: TS.Identifier): boolean {
  const { parent } = node;
  if (ts.isShorthandPropertyAssignment(parent) || ts.isExportSpecifier(parent)) return true;
  if ('name' in parent && parent.name === node) return false;
  if (ts.isBindingElement(parent) && parent.propertyName === node) return false;
  return !ts.isTypeNode(parent) && !ts.isQualifiedName(parent) && !ts.isImportSpecifier(parent);
}

/** A path under src for a relative specifier, the specifier itself otherwise. */
function resolve(from: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  return normalize(join(dirname(from), specifier)).replace(/\.[cm]?[jt]s$/, '');
}

/** The first circle of imports that exist at run time, or undefined. */
function firstCycle(modules: ReadonlyMap<string, Module>): string[] | undefined {
  const done = new Set<string>();
  const walk = (path: string, trail: readonly string[]): string[] | undefined => {
    const start = trail.indexOf(path);
    if (start !== -1) return [...trail.slice(start), path];
    if (done.has(path)) return undefined;
    for (const { target, typeOnly } of modules.get(path)?.imports ?? []) {
      const cycle = typeOnly ? undefined : walk(target, [...trail, path]);
      if (cycle !== undefined) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const path of modules.keys()) {
    const cycle = walk(path, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
