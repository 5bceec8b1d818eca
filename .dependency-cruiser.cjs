// Which part may import which (docs/architecture/README.md). Everything that is not allowed here is forbidden.
const LIBS = {
  contracts: [],
  collections: [],
  threads: [],
  'onnx-file': [],
  observability: [],
  config: ['contracts'],
  engine: ['contracts'],
  'model-runner': ['contracts', 'onnx-file'],
  models: ['contracts', 'onnx-file'],
  relay: ['contracts', 'collections'],
  queue: ['contracts', 'config'],
  admission: ['contracts', 'collections', 'config', 'queue'],
  requests: ['contracts', 'config', 'queue'],
};

/** Entries of parts of libs, for threads and processes that need no more and shall not load the rest. */
const PARTIAL_ENTRIES = ['contracts/src/ports', 'model-runner/src/process', 'models/src/grammar'].map(
  (folder) => `^libs/${folder}/index\\.ts$`,
);

const directions = Object.entries(LIBS).map(([lib, allowed]) => ({
  name: `lib-direction-${lib}`,
  comment: `libs/${lib} may import ${allowed.length > 0 ? allowed.join(', ') : 'no other part'}.`,
  severity: 'error',
  from: { path: `^libs/${lib}/` },
  to: { path: '^(libs|apps)/', pathNot: `^libs/(${[lib, ...allowed].join('|')})/` },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'A cycle that consists of type imports alone does not exist at run time and is let through.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    ...directions,
    {
      name: 'every-lib-has-a-rule',
      comment: 'A new lib needs its line in .dependency-cruiser.cjs.',
      severity: 'error',
      from: { path: '^libs/', pathNot: `^libs/(${Object.keys(LIBS).join('|')})/` },
      to: {},
    },
    {
      name: 'apps-stand-alone',
      comment: 'Apps share code through libs only.',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'no-deep-imports',
      comment:
        'Another lib is imported through its index (`#engine`) or the entry of a part (`#models/grammar`), never a file inside it.',
      severity: 'error',
      from: { path: '^(libs|apps)/([^/]+)/' },
      to: { path: '^libs/[^/]+/', pathNot: ['^libs/[^/]+/src/index\\.ts$', ...PARTIAL_ENTRIES, '^$1/$2/'] },
    },
    {
      name: 'engine-thread-stays-small',
      comment:
        "What runs in an engine's thread takes values from `#contracts/ports`: the schemas beside them cost memory.",
      severity: 'error',
      from: { path: '^libs/(engine|model-runner)/|^libs/models/src/grammar/', pathNot: '/testing/|\\.spec\\.ts$' },
      to: { path: '^libs/contracts/src/index\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'worker-stays-small',
      comment: "Model folders are read and models opened in threads; the worker's main thread loads no code for that.",
      severity: 'error',
      from: {
        path: '^apps/worker/src/',
        pathNot: '^apps/worker/src/(engine-thread|model/(read-model|reading-thread))\\.ts$|\\.spec\\.ts$',
      },
      to: { path: '^libs/(models|model-runner)/src/index\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'cli-starts-quickly',
      comment: 'What a command needs is loaded when it is called (`await import`): all of it takes half a second.',
      severity: 'error',
      from: {
        path: '^apps/cli/src/(main\\.ts|(admin|chat|client|top)/|models/models-command\\.ts|bench/bench-commands\\.ts)',
        pathNot: '\\.spec\\.ts$',
      },
      to: {
        path: '^libs/(admission|engine|model-runner|models|queue|relay|requests)/|^apps/cli/src/(up|doctor|redis)/|-command\\.ts$',
        pathNot: '^apps/cli/src/(admin/|chat/|top/|models/models-command)',
        dynamic: false,
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'engine-stays-pure',
      comment: 'The engine knows no Nest, Redis, gRPC or ONNX Runtime.',
      severity: 'error',
      from: { path: '^libs/engine/' },
      to: { path: 'node_modules/(@nestjs|ioredis|bullmq|@grpc|onnxruntime-(node|common)|koffi)/' },
    },
    {
      name: 'one-importer-of-onnxruntime',
      severity: 'error',
      from: { pathNot: '^libs/model-runner/' },
      to: { path: 'node_modules/(onnxruntime-node|onnxruntime-common|koffi)/' },
    },
    {
      name: 'nest-in-apps-only',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: 'node_modules/@nestjs/' },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    // Type-only imports count: they bind parts together as well.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      conditionNames: ['millrace-source', 'import', 'node', 'default', 'types'],
      exportsFields: ['exports'],
      extensions: ['.ts', '.mjs', '.js', '.json', '.node'],
    },
  },
};
