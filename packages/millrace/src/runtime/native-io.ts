/**
 * Node's own ways to the world, made to ask before they do anything: files, sockets, names, processes, threads, databases.
 * `ask` throws where somebody is not to reach the world, and does nothing for everybody else.
 *
 * Out of reach: functions that were taken from their modules before this was called, native addons, what runs on other
 * threads already. Node itself still loads modules, and standard output and error can be written.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module';

type Ask = (what: string) => void;
type Members = Record<string, unknown>;

const require = createRequire(import.meta.url);

/** Of these modules every function is asked for, but for those that only compute. */
const WHOLE = ['node:fs', 'node:fs/promises', 'node:child_process', 'node:dns', 'node:dns/promises', 'node:dgram'];
/** Of these what opens something. */
const OPENING: { readonly [module: string]: readonly string[] } = {
  'node:net': ['connect', 'createConnection', 'createServer'],
  'node:tls': ['connect', 'createServer'],
  'node:http': ['request', 'get', 'createServer'],
  'node:https': ['request', 'get', 'createServer'],
  'node:http2': ['connect', 'createServer', 'createSecureServer'],
};
const CLASSES: { readonly [module: string]: readonly string[] } = {
  'node:worker_threads': ['Worker'],
  'node:net': ['Socket', 'Server'],
};
const GLOBALS = ['fetch', 'WebSocket', 'EventSource'];
/** They are constructors, or compute. */
const LEFT_ALONE = /^(_|[A-Z])|^(get|set)(Default|Servers)|^lookupService$/;

export function refuseNativeIo(ask: Ask): void {
  for (const module of WHOLE) {
    const members = require(module) as Members;
    for (const name of Object.keys(members)) if (!LEFT_ALONE.test(name)) replaceFunction(members, name, module, ask);
  }
  for (const [module, names] of Object.entries(OPENING))
    for (const name of names) replaceFunction(require(module) as Members, name, module, ask);
  for (const [module, names] of Object.entries(CLASSES))
    for (const name of names) replaceClass(require(module) as Members, name, module, ask);
  refuseDatabases(ask);
  for (const name of GLOBALS) replaceGlobal(name, ask);
  syncBuiltinESMExports();
}

function replaceFunction(members: Members, name: string, module: string, ask: Ask): void {
  const real = members[name];
  if (typeof real !== 'function') return;
  const asking = function (this: unknown, ...given: unknown[]): unknown {
    // Of open files, 0 to 2 are the streams of the process.
    if (module !== 'node:fs' || typeof given[0] !== 'number' || given[0] > 2) unlessLoading(ask, `${module}.${name}`);
    return Reflect.apply(real, this, given);
  };
  // What hangs on a function, such as its promisified form, is as much a way to the world.
  for (const key of Reflect.ownKeys(real)) {
    const own = Object.getOwnPropertyDescriptor(real, key)!;
    if (typeof own.value === 'function' && key !== 'prototype') {
      const inner = own.value as (...given: unknown[]) => unknown;
      own.value = (...given: unknown[]) => {
        unlessLoading(ask, `${module}.${name}`);
        return inner.apply(real, given);
      };
    }
    if (key !== 'prototype') Object.defineProperty(asking, key, own);
  }
  define(members, name, asking);
}

function replaceClass(members: Members, name: string, module: string, ask: Ask): void {
  const real = members[name];
  if (typeof real !== 'function') return;
  const asking: object = new Proxy(real as new () => object, {
    construct(target, given, made): object {
      unlessLoading(ask, `${module}.${name}`);
      return Reflect.construct(target, given, made === asking ? target : made) as object;
    },
  });
  define(members, name, asking);
}

/** Its class cannot be replaced for who has imported it; what is done with one can. In memory it is none of the world's. */
function refuseDatabases(ask: Ask): void {
  const { DatabaseSync } = quietly(() => process.getBuiltinModule('node:sqlite'));
  const { prototype } = DatabaseSync;
  for (const name of ['open', 'exec', 'prepare'] as const) {
    const real = prototype[name] as (...given: unknown[]) => unknown;
    define(
      prototype as unknown as Members,
      name,
      function (this: InstanceType<typeof DatabaseSync>, ...given: unknown[]) {
        if (!this.isOpen || this.location() !== null) ask('node:sqlite');
        return Reflect.apply(real, this, given);
      },
    );
  }
}

function replaceGlobal(name: string, ask: Ask): void {
  const real = (globalThis as unknown as Members)[name];
  if (typeof real !== 'function') return;
  const asking = new Proxy(real, {
    apply(target, self, given) {
      ask(name);
      return Reflect.apply(target, self, given) as unknown;
    },
    construct(target, given) {
      ask(name);
      return Reflect.construct(target, given) as object;
    },
  });
  define(globalThis as unknown as Members, name, asking);
}

function define(members: Members, name: string, value: unknown): void {
  const own = Object.getOwnPropertyDescriptor(members, name);
  if (own?.configurable === false && own.writable !== true) return;
  Object.defineProperty(members, name, {
    value,
    configurable: true,
    enumerable: own?.enumerable ?? true,
    writable: true,
  });
}

/** Node reads modules by the same functions: who imports one is not refused. */
function unlessLoading(ask: Ask, what: string): void {
  try {
    ask(what);
  } catch (refusal) {
    const frames = new Error('where from').stack ?? '';
    if (!frames.includes('node:internal/modules/')) throw refusal;
  }
}

/** node:sqlite warns when it is loaded that it is experimental. */
function quietly<T>(load: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return load();
  } finally {
    process.emitWarning = emitWarning;
  }
}
