import tseslint from 'typescript-eslint'

const anyOfTheBalancer = '^#balancer|/balancer/'
/** What the edge and its targets have agreed on is for both sides to know. */
const balancerButTheContract = '^#balancer(?!/contract/)|/balancer/'

/**
 * Imports point one way: {main, cli} -> {primary, balancer-process, worker} -> {control, services, app} -> {config, ipc, resources, process}.
 * Each row names a layer and the layers it must never reach for.
 */
const importRules = [
  { layer: 'process', files: ['src/process/**/*.ts'], forbidden: above('process') },
  { layer: 'resources', files: ['src/resources/**/*.ts'], forbidden: [...above('process'), '**/process/**'] },
  {
    layer: 'ipc',
    files: ['src/ipc/**/*.ts'],
    forbidden: above('services').concat('**/services/**'),
    balancer: balancerButTheContract,
  },
  {
    layer: 'config',
    files: ['src/config/**/*.ts'],
    forbidden: above('process').filter(name => name !== '**/config/**'),
    balancer: balancerButTheContract,
  },
  { layer: 'control', files: ['src/control/**/*.ts'], forbidden: [...above('services'), '**/services/**'] },
  { layer: 'cli', files: ['src/cli/**/*.ts', 'src/cli.ts'], forbidden: above('cli') },
  { layer: 'services', files: ['src/services/**/*.ts'], forbidden: above('services') },
  { layer: 'app', files: ['src/app/**/*.ts'], forbidden: above('app') },
  { layer: 'worker', files: ['src/worker/**/*.ts'], forbidden: above('worker'), balancer: balancerButTheContract },
  { layer: 'primary', files: ['src/primary/**/*.ts'], forbidden: above('primary'), balancer: balancerButTheContract },
  // In mesh mode the primary may have to refuse a connection, in the words of a balancer.
  { layer: 'primary', files: ['src/primary/traffic/refusal.ts'], forbidden: above('primary'), balancer: '^$' },
  // Instances that share a Redis agree by it on who runs a job of cron.
  {
    layer: 'primary',
    files: ['src/primary/cron/redis-run-lease.ts'],
    forbidden: above('primary').filter(pattern => pattern !== '**/services/**'),
    balancer: balancerButTheContract,
  },
]

function above(layer) {
  const processes = ['**/primary/**', '**/worker/**', '**/*-process.js', '**/main.js']
  const forbidden = {
    process: [...processes, '**/services/**', '**/app/**', '**/config/**', '**/control/**'],
    services: [...processes, '**/app/**', '**/control/**'],
    app: [...processes, '**/control/**'],
    // `outpost start` becomes the program.
    cli: [...processes.filter(pattern => pattern !== '**/main.js'), '**/services/**', '**/app/**', '**/ipc/**'],
    worker: processes.filter(pattern => pattern !== '**/worker/**' && pattern !== '**/*-process.js'),
    primary: [...processes.filter(pattern => pattern !== '**/primary/**'), '**/services/**', '**/app/**'],
  }
  return forbidden[layer]
}

/** The rooms of balancer/, top to bottom. A room imports from itself and from the rooms below. */
const rooms = ['edge', 'requests', 'targets', 'transports', 'ledger', 'contract']

const standsAlone = {
  regex: '^(?!node:|(?!.*/src/)\\.{1,2}/|http-proxy$)',
  message: 'balancer/ stands alone: node:* and http-proxy only',
}
const noHttpProxy = { regex: '^http-proxy$', message: 'only transports/http-proxy.ts touches http-proxy' }

const balancerRules = [
  balancerRow(['balancer/*.ts'], [noHttpProxy]),
  // All rooms use these, so they may use none but the contract.
  balancerRow(['balancer/options.ts', 'balancer/errors.ts'], [noHttpProxy, ...forbiddenRooms('contract')]),
  ...rooms.map(room => balancerRow([`balancer/${room}/**/*.ts`], [noHttpProxy, ...forbiddenRooms(room)])),
  balancerRow(['balancer/transports/http-proxy.ts'], forbiddenRooms('transports')),
]

function balancerRow(files, patterns) {
  return { files, rules: { 'no-restricted-imports': ['error', { patterns: [standsAlone, ...patterns] }] } }
}

function forbiddenRooms(room) {
  const above = rooms.slice(0, rooms.indexOf(room))
  return [
    ...above.map(name => ({ regex: `/${name}/`, message: `${room}/ does not import from ${name}/ above it` })),
    { regex: '/(balancer|index)\\.js$', message: 'balancer.ts puts the rooms together; no room imports it' },
  ]
}

const anyBut = (...names) => ({ ignores: names })

const environment = { object: 'process', property: 'env', message: 'only config/ reads it' }
const end = { object: 'process', property: 'exit', message: 'only process/exit.ts calls it' }

export default tseslint.config(
  { ignores: ['dist/', 'build/', 'bench/node_modules/', 'bench/results/', 'examples/', '.outpost/', '.tap/'] },
  ...tseslint.configs.strictTypeChecked.map(config => ({ ...config, files: ['**/*.ts'] })),
  {
    files: ['**/*.ts'],
    languageOptions: {
      parserOptions: {
        project: [
          './balancer/tsconfig.json',
          './src/tsconfig.json',
          './src/app/page/tsconfig.json',
          './scripts/tsconfig.json',
          './bench/tsconfig.json',
          './test/tsconfig.json',
        ],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    ...anyBut('src/balancer-process.ts'),
    rules: {
      'no-restricted-imports': ['error', { patterns: [{ regex: anyOfTheBalancer }] }],
    },
  },
  ...importRules.map(({ layer, files, forbidden, balancer = anyOfTheBalancer }) => {
    const message = `the ${layer} layer does not import upwards`
    const patterns = [
      { group: forbidden, message },
      { regex: balancer, message },
    ]
    return { files, rules: { 'no-restricted-imports': ['error', { patterns }] } }
  }),
  {
    files: ['src/**/*.ts', 'balancer/**/*.ts'],
    rules: { 'no-restricted-properties': ['error', environment, end] },
  },
  {
    files: ['src/config/**/*.ts'],
    rules: { 'no-restricted-properties': ['error', end] },
  },
  {
    files: ['src/process/exit.ts'],
    rules: { 'no-restricted-properties': ['error', environment] },
  },
  {
    files: ['src/object-store/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: '^(?!node:|(?!\\.\\./\\.\\./)\\.{1,2}/)', message: 'object-store/ stands alone: node:* only' },
          ],
        },
      ],
    },
  },
  ...balancerRules,
  {
    files: ['test/**/*.ts'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off', '@typescript-eslint/require-await': 'off' },
  },
)
