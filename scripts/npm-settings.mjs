const INCLUDE = '--include=optional --include=dev';
const LEAVES_OUT = 'it leaves packages out that are needed here';

/**
 * Finds the npm settings that prevent `npm ci` from installing what is needed, and the options that
 * fix them.
 *
 * @param config as `npm config list --json` prints it
 * @param needsDev whether packages for development are needed too
 * @param nodeEnv NODE_ENV, which makes npm leave those out
 */
export function npmFaults(config, needsDev, nodeEnv) {
  const omits = (kind) => [config.omit ?? []].flat().includes(kind);
  const isProduction = nodeEnv === 'production';
  /** By name: whether it is set that way, its effect, and its fix. */
  const settings = {
    'omit=optional': [omits('optional'), LEAVES_OUT, INCLUDE],
    'optional=false': [config.optional === false, LEAVES_OUT, INCLUDE],
    'omit=dev': [needsDev && omits('dev') && !isProduction, LEAVES_OUT, INCLUDE],
    'NODE_ENV=production': [needsDev && isProduction, LEAVES_OUT, INCLUDE],
    'production=true': [needsDev && config.production === true, LEAVES_OUT, INCLUDE],
    'only=production': [needsDev && String(config.only).startsWith('prod'), LEAVES_OUT, INCLUDE],
    'ignore-scripts=true': [
      config['ignore-scripts'],
      'the install scripts under "allowScripts" in package.json do not run, one of which fetches Node',
      '--ignore-scripts=false',
    ],
    'bin-links=false': [
      config['bin-links'] === false,
      'no commands are linked',
      '--bin-links=true',
    ],
    'global=true': [config.global, 'it does not install into this folder', '--global=false'],
    'location=global': [
      config.location === 'global',
      'it does not install into this folder',
      '--location=project',
    ],
    'dry-run=true': [config['dry-run'], 'it installs nothing', '--dry-run=false'],
    'package-lock-only=true': [
      config['package-lock-only'],
      'it installs nothing',
      '--package-lock-only=false',
    ],
    'offline=true': [config.offline, 'it asks no registry', '--offline=false'],
  };
  return Object.entries(settings)
    .filter(([, [isFault]]) => isFault)
    .map(([name, [, effect, cure]]) => ({ name, effect, cure }));
}
