/**
 * The import law (design, "The house"): which folder may import which. It holds for types too, because a type that is
 * imported is a part of the other folder that this one cannot be read without.
 */
import type { Problem } from './problem.ts';
import { type Import, isTestOnly, type Module, type Project } from './project.ts';

/** Folder → the folders of ours that it may import besides itself. A new folder needs a row before it needs an import. */
const lawOf = {
  millrace: {
    topology: [],
    runtime: [],
    codec: [],
    ledger: ['topology', 'runtime', 'codec'],
    time: ['topology', 'runtime', 'codec', 'ledger'],
    state: ['topology', 'runtime', 'codec'],
    checkpoints: ['topology', 'runtime', 'codec', 'state'],
    connectors: ['topology', 'runtime', 'codec'],
    engine: ['topology', 'runtime', 'codec', 'time', 'state', 'checkpoints', 'ledger'],
    topic: ['topology', 'runtime', 'codec', 'ledger', '@millrace/broker'],
    storm: [],
    testing: 'everything',
    cli: 'everything',
  },
} as const satisfies Record<string, Record<string, readonly string[] | 'everything'>>;

const openToAll = new Set(['errors.ts', 'duration.ts']);
const frontDoor = new Set(['index.ts', 'engine.ts', 'topic.ts', 'testing.ts', 'sqlite.ts', 'file.ts', 'socket.ts']);
const because = 'the import law keeps each part readable without the parts that stand on it (design, "The house")';

export function importLaw(project: Project): Problem[] {
  const problems: Problem[] = [];
  for (const module of project.modules.values()) {
    for (const taken of module.imports) {
      const broken = breach(module, taken);
      if (broken) problems.push({ place: `${module.path}:${taken.line}`, because, ...broken });
    }
  }
  return problems;
}

type Breach = Pick<Problem, 'found' | 'instead'> & { readonly because?: string };

interface Place {
  readonly package: string;
  /** The folder right under `src`, or undefined for a file that stands there itself. */
  readonly folder: string | undefined;
  readonly file: string;
}

function placeOf(path: string): Place | undefined {
  const [, name, inside] = /^packages\/([^/]+)\/src\/(.+)$/.exec(path) ?? [];
  if (name === undefined || inside === undefined) return undefined;
  const slash = inside.indexOf('/');
  return { package: name, folder: slash < 0 ? undefined : inside.slice(0, slash), file: inside };
}

function breach(module: Module, taken: Import): Breach | undefined {
  const from = placeOf(module.path);
  if (!from) return fromOutside(module, taken);
  const isTest = isTestOnly(module.path);
  if (!taken.target) return undefined;
  const to = placeOf(taken.target);
  if (!to) {
    if (isTest && taken.specifier.startsWith('.')) return undefined;
    return { found: `imports ${taken.target}, outside every package's src`, instead: 'move what it needs into src' };
  }
  if (from.package !== to.package) return acrossPackages(from, taken, isTest);
  if (isTest || from.package === 'broker') return undefined;
  return withinMillrace(from, to, taken);
}

/** Examples stand where a user stands. Benchmarks and tools may look inside. */
function fromOutside(module: Module, taken: Import): Breach | undefined {
  if (!module.path.startsWith('examples/') || !taken.specifier.startsWith('.')) return undefined;
  if (!taken.target?.startsWith('packages/')) return undefined;
  return {
    found: `reaches into ${taken.target}`,
    instead: "import from a package's front door: 'millrace', 'millrace/engine', '@millrace/broker', …",
    because: 'an example shows what a user can do, and a user has only the front doors',
  };
}

function acrossPackages(from: Place, taken: Import, isTest: boolean): Breach | undefined {
  if (from.package === 'broker')
    return {
      found: `the broker imports ${taken.specifier}`,
      instead: 'declare what is needed as a seam in the broker, of the shape that the caller already has',
      because: 'the broker is useful alone: it imports nothing of ours',
    };
  const folder = from.folder;
  const inTarball = taken.specifier === '@millrace/broker' || taken.specifier === '@millrace/broker/testing';
  const forTests = taken.specifier.endsWith('/testing');
  if (forTests && inTarball && !isTest && folder !== 'testing')
    return { found: `imports ${taken.specifier}`, instead: 'let testing/ do it: what is for tests runs nowhere else' };
  if (!inTarball)
    return {
      found: `imports ${taken.specifier} of the broker`,
      instead: "import from '@millrace/broker', and export there what is missing",
      because: 'only the front door is in the tarball',
    };
  if (isTest || folder === undefined || allowed(folder)?.includes('@millrace/broker')) return undefined;
  return { found: `${folder}/ imports the broker`, instead: 'let topic/ do it, or take what is needed as an argument' };
}

function allowed(folder: string): readonly string[] | undefined {
  const law: Readonly<Record<string, readonly string[] | 'everything'>> = lawOf.millrace;
  const folders = law[folder];
  return folders === 'everything' ? [...Object.keys(law), '@millrace/broker'] : folders;
}

function withinMillrace(from: Place, to: Place, taken: Import): Breach | undefined {
  if (!taken.specifier.startsWith('.'))
    return { found: `imports its own package as ${taken.specifier}`, instead: 'import the file that defines it' };
  if (from.folder === undefined) {
    if (frontDoor.has(from.file)) return undefined;
    if (openToAll.has(from.file) && openToAll.has(to.file)) return undefined;
    if (!openToAll.has(from.file)) return { found: `${from.file} is no entry file`, instead: 'move it into a folder' };
    return { found: `${from.file}, open to all, imports ${to.file}`, instead: 'let the caller hand it in' };
  }
  const law = allowed(from.folder);
  if (!law) {
    const instead = 'add a row for it to the table in tools/tidy/import-law.ts, and to the design';
    return { found: `folder ${from.folder}/ has no row in the import law`, instead };
  }
  if (to.folder === undefined) {
    if (openToAll.has(to.file) || from.folder === 'cli' || from.folder === 'testing') return undefined;
    return { found: `${from.folder}/ imports ${to.file}, a front door`, instead: 'import the file that defines it' };
  }
  if (to.folder === from.folder || law.includes(to.folder)) return undefined;
  const may = law.length > 0 ? law.map((folder) => `${folder}/`).join(', ') : 'nothing else of ours';
  return {
    found: `${from.folder}/ imports ${to.file}`,
    instead: `${from.folder}/ may import ${may}: move the piece down, or take it as an argument`,
  };
}
