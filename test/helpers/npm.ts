/** The variable in which vitest.config.mts keeps NODE_EXTRA_CA_CERTS away from the processes that tests start. */
const KEPT = 'TEST_NPM_EXTRA_CA_CERTS';

/** The environment of an npm that installs from a registry, which it may know by those certificates alone. */
export function npmEnvironment(): NodeJS.ProcessEnv {
  const certificates = process.env[KEPT];
  return certificates === undefined ? process.env : { ...process.env, NODE_EXTRA_CA_CERTS: certificates };
}
