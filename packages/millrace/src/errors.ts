/**
 * The one table of errors. A code is stable: scripts and docs may rely on it. Each row says whether trying the same
 * again can help, and a message that names what arrived and what to do. `docs/reference/errors.md` explains every
 * code; a test compares the two.
 */

interface ErrorRow {
  /** Whether the same call may succeed later without a change by the user. */
  readonly retry: boolean;
  readonly message: (...details: never[]) => string;
}

/** What arrived, as text: numbers as they are (JSON would say `null` for NaN), the rest as JSON where it can. */
const shown = (got: unknown) =>
  typeof got === 'number' || typeof got === 'bigint' ? String(got) : (JSON.stringify(got) ?? String(got));
const list = (names: readonly string[]) => (names.length === 0 ? 'none' : names.map((n) => `'${n}'`).join(', '));

export const ERROR_TABLE = {
  MR_DURATION: {
    retry: false,
    message: (got: unknown) =>
      `${shown(got)} is not a duration: write a number of milliseconds or text such as '250ms', '10s', '1m30s', '2h', '7d'`,
  },
  MR_SCHEMA: {
    retry: false,
    message: (what: string, issues: string) => `${what} does not match its schema: ${issues}`,
  },
  MR_SCHEMA_ASYNC: {
    retry: false,
    message: (what: string, vendor: string) =>
      `the schema of ${what} (${vendor}) validates asynchronously: use one that validates at once, without async refinements`,
  },
  MR_KEY: {
    retry: false,
    message: (got: string, where: string) =>
      `${where}: ${got} cannot be a key: keys are strings, finite numbers, bigints, booleans, or tuples of them`,
  },
  MR_NAME: {
    retry: false,
    message: (what: string, got: string) =>
      `${what} name ${JSON.stringify(got)} is not allowed: use letters, digits, '.', '_' and '-', at most 100, first a letter, a digit or '_'; reserved for the system are names that start with '__', and 'default' for a stream`,
  },
  MR_DUPLICATE_COMPONENT: {
    retry: false,
    message: (topology: string, id: string) =>
      `topology '${topology}': component '${id}' is declared twice: give one of them another name`,
  },
  MR_UNKNOWN_COMPONENT: {
    retry: false,
    message: (where: string, id: string, known: readonly string[]) =>
      `${where}: there is no component '${id}' here; declared so far: ${list(known)}`,
  },
  MR_UNKNOWN_STREAM: {
    retry: false,
    message: (where: string, component: string, stream: string, known: readonly string[]) =>
      `${where}: component '${component}' emits no stream '${stream}'; it emits: ${list(known)}`,
  },
  MR_FOREIGN_STREAM: {
    retry: false,
    message: (where: string, component: string) =>
      `${where}: the stream of '${component}' belongs to another build of a topology: use the streams that this t.spout and t.bolt gave back`,
  },
  MR_NO_SPOUT: {
    retry: false,
    message: (topology: string) => `topology '${topology}' has no spout: nothing would ever flow; add one with t.spout`,
  },
  MR_NO_INPUT: {
    retry: false,
    message: (component: string) => `'${component}' subscribes to no stream: give it at least one input`,
  },
  MR_CYCLE: {
    retry: false,
    message: (topology: string, path: readonly string[]) =>
      `topology '${topology}' has a cycle: ${path.join(' → ')}; a topology is a directed graph without cycles: send what must go round through a topic`,
  },
  MR_UNKNOWN_FIELD: {
    retry: false,
    message: (component: string, field: string, from: string, known: readonly string[]) =>
      `'${component}' groups ${from} by the field '${field}', which its values do not have; they have: ${list(known)}`,
  },
  MR_PARALLELISM: {
    retry: false,
    message: (component: string, got: unknown) =>
      `'${component}': parallelism ${shown(got)} is not a positive integer up to 256 (the number of key groups)`,
  },
  MR_OPTION: {
    retry: false,
    message: (component: string, option: string, got: unknown, want: string) =>
      `'${component}': ${option} is ${shown(got)}, which is not ${want}`,
  },
  MR_WINDOW_TIME: {
    retry: false,
    message: (component: string, got: unknown) =>
      `'${component}' got a value whose event time is ${shown(got)}, which is in no window: emit it with milliseconds since 1970 that are a date, or without a time`,
  },
  MR_NOT_FINITE: {
    retry: false,
    message: (aggregate: string, got: unknown) =>
      `${aggregate}(…) was given ${shown(got)}, which is not a finite number: give a number for each value, or filter such values out before the window`,
  },
  MR_STATE_WITHOUT_KEY: {
    retry: false,
    message: (component: string) =>
      `'${component}' keeps state or timers per key, but an input has no key: group it by fields(), keyBy() or global()`,
  },
  MR_NO_KEY_HERE: {
    retry: false,
    message: (component: string, what: string) =>
      `'${component}' used ${what} where there is no current key: state and timers are per key, so only execute and timer handlers (or a bolt grouped by global()) may use them`,
  },
  MR_STATE_VALUE: {
    retry: false,
    message: (component: string, what: string, path: string, is: string) =>
      `'${component}' cannot keep this in ${what}: ${path} is ${is}, which would not survive a checkpoint: keep text, numbers, lists, Maps, Sets, Dates and plain objects`,
  },
  MR_TIMER_TIME: {
    retry: false,
    message: (component: string, timer: string, got: unknown) =>
      `'${component}' used timers.${timer} with the time ${shown(got)}: give milliseconds since 1970, neither NaN nor infinite`,
  },
  MR_STATE_SHAPE: {
    retry: false,
    message: (component: string, problems: readonly string[]) =>
      `the state that '${component}' declares is not the one that was saved, and nothing was touched:${problems.map((problem) => `\n- ${problem}`).join('')}`,
  },
  MR_STATE_MIGRATE: {
    retry: false,
    message: (component: string, state: string, version: number, key: string, cause: string) =>
      `'${component}': migrate of state '${state}' could not take over what version ${version} kept for the key ${key}: ${cause}; correct migrate and start again: what was saved is as it was`,
  },
  MR_NO_EVENT_TIME: {
    retry: false,
    message: (component: string, those: readonly string[]) =>
      `'${component}' does not follow event time: neither it nor anything downstream of it asks for it; these do: ${list(those)}`,
  },
  MR_NO_TIMERS: {
    retry: false,
    message: (component: string, those: readonly string[]) =>
      `'${component}' has no windows and no timers, so none can wait; ask about a time instead, or about one that has some: ${list(those)}`,
  },
  MR_NO_STATE: {
    retry: false,
    message: (component: string, those: readonly string[]) =>
      `'${component}' keeps no state or timers per key; these do: ${list(those)}`,
  },
  MR_MISSING_HANDLER: {
    retry: false,
    message: (component: string, input: string, has: readonly string[]) =>
      `'${component}' has no handler for its input '${input}'; execute handles: ${list(has)}`,
  },
  MR_TICK_WITHOUT_HANDLER: {
    retry: false,
    message: (component: string) =>
      `'${component}' has a tick interval but its prepare returns no tick(): add one or remove the interval`,
  },
  MR_TIMER_WITHOUT_HANDLER: {
    retry: false,
    message: (component: string, timer: string) =>
      `'${component}' declares the timer '${timer}' but its prepare returns no handler for it: add timer: { ${timer}(time, key) { … } }`,
  },
  MR_REJECT_OUTSIDE: {
    retry: false,
    message: (component: string) =>
      `'${component}' rejected an input where there is none: outside of execute, name the value: reject(detail, cause, { value, time })`,
  },
  MR_EMIT_OUTSIDE: {
    retry: false,
    message: (component: string) =>
      `'${component}' emitted outside of its own execute, tick or flush: an emit must belong to one input; return it from an asyncBolt, or hold tuples in a manualBolt`,
  },
  MR_DIRECT_TASK: {
    retry: false,
    message: (component: string, task: unknown, tasks: number) =>
      `direct emit to task ${shown(task)} of '${component}': it has the tasks 0 to ${tasks - 1}`,
  },
  MR_CUSTOM_TASK: {
    retry: false,
    message: (component: string, task: unknown, tasks: number) =>
      `the custom grouping of '${component}' chose task ${shown(task)}: choose 0 to ${tasks - 1}`,
  },
  MR_EXECUTE_PROMISE: {
    retry: false,
    message: (component: string) =>
      `'${component}' returned a promise from a synchronous bolt: use asyncBolt({ concurrency, execute }), or its failures and its order are lost`,
  },
  MR_EDGE_ENCODING: {
    retry: false,
    message: (component: string, stream: string, cause: string) =>
      `'${component}' emitted on '${stream}' a value that cannot be encoded, so it could not cross to another worker: ${cause}`,
  },
  MR_RESOURCE: {
    retry: false,
    message: (component: string, resource: string) =>
      `'${component}' needs the resource '${resource}', which this run does not offer: start it with run() of millrace/engine or 'millrace run', or hand it to the test`,
  },
  MR_USER_CODE: {
    retry: false,
    message: (component: string, task: number, cause: string, value: string) =>
      `'${component}' task ${task} failed: ${cause} (value: ${value})`,
  },
  MR_TIMEOUT: {
    retry: true,
    message: (component: string, ms: number) => `'${component}' did not finish within ${ms} ms`,
  },
  MR_MESSAGE_TIMEOUT: {
    retry: true,
    message: (component: string, ms: number) =>
      `a tuple of spout '${component}' was neither acked nor failed within its message timeout of ${ms} ms: a bolt holds it, or is slower than that`,
  },
  MR_LEDGER: {
    retry: true,
    message: (component: string, cause: string) =>
      `a record of '${component}' could not be written to the ledger: ${cause}; the topology stops, as the record would be lost otherwise`,
  },
  MR_SOURCE: {
    retry: true,
    message: (component: string, cause: string) => `spout '${component}' cannot go on: ${cause}`,
  },
  MR_SPLIT: {
    retry: false,
    message: (component: string, split: string, known: readonly string[]) =>
      `spout '${component}' gave a record of split '${split}', which is not one of this task's: ${list(known)}`,
  },
  MR_STALE_TUPLE: {
    retry: false,
    message: (component: string) =>
      `'${component}' acked, failed or anchored to a tuple that is already acked or failed`,
  },
  MR_USAGE: {
    retry: false,
    message: (text: string) => text,
  },
  MR_CONTROL: {
    retry: false,
    message: (why: string) => `the control socket refused a request: ${why}`,
  },
  MR_CONTROL_LOST: {
    retry: true,
    message: () => 'whoever had the data directory left before it answered: start the command again',
  },
  MR_NOT_RUNNING: {
    retry: true,
    message: (directory: string) =>
      `no topology runs on ${directory}: start one with 'millrace run MODULE', or name its data directory with --data DIR`,
  },
  MR_DATA_IN_USE: {
    retry: true,
    message: (lock: string) =>
      `${lock} ('millrace kill --data DIR' stops the topology that runs on it, '--data DIR' gives a run another)`,
  },
  MR_DATA_SERVED: {
    retry: true,
    message: (directory: string, pid: number, broker: string) =>
      `${directory} belongs to the broker that runs as process ${pid}: reach its topics at ${broker} ('millrace run' takes --brokers ${broker}), stop it, or name another directory with --data DIR`,
  },
  MR_DATA_FOREIGN: {
    retry: false,
    message: (directory: string) =>
      `${directory} is not a data directory of Millrace and is not empty: name another with --data DIR, or empty it yourself if nothing in it is needed`,
  },
  MR_MODULE: {
    retry: false,
    message: (text: string) => text,
  },
  MR_NO_TOPOLOGY: {
    retry: false,
    message: (module: string, got: string) =>
      `${module} ${got}: a topology module ends with "export default topology('name', (t) => { … })"`,
  },
  MR_CONFIG: {
    retry: false,
    message: (where: string, cause: string) => `the config from ${where} cannot be used: ${cause}`,
  },
  MR_NOT_EMPTY: {
    retry: false,
    message: (directory: string) =>
      `${directory} exists already and is not empty: choose another name, or empty it first; nothing was written`,
  },
  MR_LEDGER_ENTRY: {
    retry: false,
    message: (id: string, why: string) => `ledger entry ${JSON.stringify(id)} ${why}`,
  },
  MR_ENCODE: {
    retry: false,
    message: (codec: string, path: string, what: string) =>
      `${path} is ${what}, which ${codec} cannot hold: turn it into text, numbers, lists and plain objects before it is emitted`,
  },
  MR_DECODE: {
    retry: false,
    message: (format: string, cause: string, start: string) =>
      `what arrived is not ${format}: ${cause}; it starts with ${start}`,
  },
  MR_SOCKET_PATH: {
    retry: false,
    message: (path: string, bytes: number, most: number) =>
      `the socket path ${path} has ${bytes} bytes, and this system allows ${most}: choose a shorter data directory`,
  },
  MR_LEDGER_OPEN: {
    retry: false,
    message: (path: string, cause: string) =>
      `the ledger ${path} cannot be opened: ${cause}; check that its folder exists, may be written to, and has space`,
  },
  MR_LEDGER_WRITE: {
    retry: true,
    message: (path: string, entries: number, cause: string) =>
      `the ledger ${path} could not take ${entries === 1 ? 'an entry' : `${entries} entries`}: ${cause}; what it did not take stays unacknowledged: make space, or make the file writable`,
  },
  MR_STUCK: {
    retry: false,
    message: (what: string, time: number, why: string) => `${what} at virtual time ${time} ms: ${why}`,
  },
  MR_TORTURE: {
    retry: false,
    message: (found: readonly string[], others: string) => `${found.join('\n')}${others}`,
  },
  MR_TOPIC_NAME: {
    retry: false,
    message: (got: string) =>
      `topic name ${JSON.stringify(got)} is not allowed: use letters, digits, '.', '_' and '-', 1 to 249 of them, and neither '.' nor '..' alone`,
  },
  MR_TOPIC_VALUE: {
    retry: false,
    message: (topic: string, value: string, cause: string) =>
      `topic '${topic}': its codec refuses the value ${value}: ${cause}`,
  },
  MR_TOPIC_KEY: {
    retry: false,
    message: (topic: string, got: string, value: string) =>
      `topic '${topic}': the key of ${value} is ${got}: give text, bytes, or null for no key`,
  },
  MR_TOPIC_TIME: {
    retry: false,
    message: (topic: string, got: string, value: string) =>
      `topic '${topic}': the time of ${value} is ${got}: give milliseconds since 1970, 0 or more`,
  },
  MR_BROKERS: {
    retry: true,
    message: (brokers: string, doing: string, cause: string) =>
      `no broker answers (${brokers}), ${doing}: ${cause}; check the addresses, that the brokers run, and that the addresses they advertise can be reached from here`,
  },
  MR_BROKER_SECURITY: {
    retry: false,
    message: (broker: string, cause: string) =>
      `${broker} does not let us in: ${cause}; Millrace connects without TLS and without a password: name a PLAINTEXT listener`,
  },
  MR_BROKER_REFUSED: {
    retry: false,
    message: (doing: string, code: string, why: string) => `the brokers refuse ${doing}: ${code}: ${why}`,
  },
  MR_TOPIC_CREATE: {
    retry: false,
    message: (topic: string, why: string) =>
      `topic '${topic}' is not there, and the brokers refuse to make it: ${why}; make it yourself, or declare it as they allow`,
  },
  MR_TOPIC_GONE: {
    retry: true,
    message: (topic: string) =>
      `topic '${topic}' was deleted, or made anew, while it was in use: make it again if need be, and start again`,
  },
  MR_TOPIC_CORRUPT: {
    retry: false,
    message: (topic: string, partition: number, offset: number, cause: string) =>
      `topic '${topic}' partition ${partition}: what the broker gave from offset ${offset} on cannot be read: ${cause}`,
  },
  MR_CONTROL_TOPIC: {
    retry: false,
    message: (topic: string, has: string, needs: string) =>
      `topic '${topic}' has ${has} and needs ${needs}: it keeps what each exactly-once sink has published last; alter it, or delete it if no topology has published yet, and it is made as it must be`,
  },
  MR_GROUP_IN_USE: {
    retry: false,
    message: (group: string) =>
      `consumer group '${group}' has live members, so the brokers take no offsets from us: stop those consumers, or name another group in topicSpout`,
  },
  MR_TOPICS_ELSEWHERE: {
    retry: false,
    message: (brokers: string) =>
      `the topology that runs here has its topics at the brokers ${brokers}: look at them with Kafka's own tools or kcat; this command is for the log in the data directory`,
  },
  MR_SOCKET_FOLDER: {
    retry: false,
    message: (folder: string) =>
      `${folder}, where the control socket would be, belongs to somebody else or is open to others: remove it, or choose a shorter data directory with --data DIR`,
  },
  MR_NO_DATA: {
    retry: true,
    message: (directory: string) =>
      `there is no data directory ${directory}: run a topology first, name another directory with --data DIR, or make topics with 'millrace topics create'`,
  },
  MR_PORT: {
    retry: true,
    message: (port: number) => `port ${port} of 127.0.0.1 is in use: choose another with --metrics-port, or 0 for any`,
  },
  MR_FILE_READ: {
    retry: true,
    message: (component: string, path: string, cause: string) =>
      `'${component}' cannot read the file ${path}: ${cause}; check the path and who may read it`,
  },
  MR_FILE_SHRANK: {
    retry: false,
    message: (component: string, path: string, size: number, position: number) =>
      `'${component}': the file ${path} has ${size} bytes, fewer than the ${position} that were read already: it was cut or replaced; start with a fresh position, or read a file that only grows`,
  },
  MR_FILE_WRITE: {
    retry: true,
    message: (component: string, folder: string, cause: string) =>
      `'${component}' could not write its files in ${folder}: ${cause}; check that there is space, and who may write there`,
  },
  MR_LINE: {
    retry: false,
    message: (got: string, value: string) =>
      `${got} is not one line of text (from the value ${value}): let format give text without line breaks`,
  },
  MR_SQLITE_OPEN: {
    retry: true,
    message: (component: string, path: string, cause: string) =>
      `'${component}' cannot open the database ${path}: ${cause}; check that its folder may be written to and has space`,
  },
  MR_SQLITE_CREATE: {
    retry: false,
    message: (component: string, table: string, create: string) =>
      `'${component}' ran ${JSON.stringify(create)}, and there still is no table '${table}': let create make the table that the sink writes to`,
  },
  MR_SQLITE_ROW: {
    retry: false,
    message: (table: string, why: string, value: string) =>
      `there is no row of '${table}' for ${value}: ${why}; let row give an object of text, numbers, bigints of 64 bits, booleans, bytes and null`,
  },
  MR_SQLITE_WRITE: {
    retry: true,
    message: (component: string, table: string, path: string, cause: string, state: string) =>
      `'${component}' could not write to '${table}' in ${path}: ${cause}; ${state}`,
  },
  MR_SQLITE_BUSY: {
    retry: true,
    message: (component: string, path: string) =>
      `'${component}' could not write to ${path}: another process has held its lock for too long; end that process's transaction`,
  },
  MR_CHECKPOINT_CORRUPT: {
    retry: false,
    message: (epoch: string, file: string, what: string, older: string) =>
      `checkpoint ${epoch} was completed and cannot be read any more: ${file}: ${what}; ${older}`,
  },
  MR_NO_CHECKPOINT: {
    retry: false,
    message: (topology: string, asked: string, kept: readonly string[]) =>
      `'${topology}' has no checkpoint ${asked}; these are kept: ${kept.length === 0 ? 'none' : kept.join(', ')}`,
  },
  MR_CHECKPOINT_COMPONENT: {
    retry: false,
    message: (epoch: string, problems: readonly string[]) =>
      `checkpoint ${epoch} has what this topology does not have any more, and nothing was touched:${problems.map((problem) => `\n- ${problem}`).join('')}`,
  },
  MR_CHECKPOINT_BEHIND: {
    retry: false,
    message: (sink: string, published: string, newest: string) =>
      `'${sink}' has published epoch ${published}, and the newest checkpoint here is ${newest}: what lies between would be published a second time; bring the newer checkpoints back, or accept that with --from ${newest}`,
  },
  MR_CHECKPOINTS_KEPT: {
    retry: false,
    message: (topology: string, newest: string) =>
      `'${topology}' has checkpoints, the last is ${newest}, and as asked for it would run without them: run it as before and drain it first ('millrace kill --drain'), or delete its checkpoints in the data directory to give up what they hold`,
  },
  MR_NO_CHECKPOINTS: {
    retry: false,
    message: (topology: string) =>
      `'${topology}' makes no checkpoints: it keeps no state, and no path of it is exactly-once ('millrace receipt' says why)`,
  },
  MR_NO_SAVEPOINT: {
    retry: false,
    message: (directory: string) =>
      `there is no savepoint in ${directory}: name the folder that 'millrace savepoint' has written, or a checkpoint such as 3.17`,
  },
  MR_SAVEPOINT_EXISTS: {
    retry: false,
    message: (directory: string) =>
      `${directory} has a savepoint already, or one that is being written or was left half-written, and none is ever replaced: name another folder`,
  },
  MR_SAVEPOINT_CORRUPT: {
    retry: false,
    message: (file: string, what: string) =>
      `the savepoint cannot be read: ${file}: ${what}; take another copy of it, or go on from a checkpoint`,
  },
  MR_SUPERSEDED: {
    retry: false,
    message: (topology: string, own: number, newest: number) =>
      `'${topology}' was started again elsewhere: this is start ${own}, and start ${newest} has taken over; nothing that this one does counts any more, so it stops`,
  },
  MR_SINK_CLAIMED: {
    retry: false,
    message: (component: string, target: string, own: number, newest: number) =>
      `'${component}' may not publish to ${target}: this is start ${own} of the topology, and start ${newest} has claimed it; let one instance run`,
  },
  MR_GUARANTEE: {
    retry: false,
    message: (asked: string, topology: string, paths: readonly string[]) =>
      `'${topology}' cannot run with ${asked}: ${paths.join('; ')}; ask for less, or change what limits it`,
  },
  MR_STORM_VALUE: {
    retry: false,
    message: (got: string) =>
      `${got} has no hash on Storm that can be told in advance: group by text, booleans, whole numbers up to 64 bits (beyond 2^53 as bigints), or fractions of at most 18 characters`,
  },
  MR_SIMULATION: {
    retry: false,
    message: (report: string) => `the simulation came out wrong: ${report}`,
  },
  MR_NATIVE_IO: {
    retry: false,
    message: (what: string) =>
      `${what} reaches past the simulation: what a simulated pipeline reads and writes must go through what its run offers (task.use), or through a sink or a spout that is modelled`,
  },
  MR_LOST_AGAIN: {
    retry: false,
    message: (component: string, detail: string) => `it was lost again at '${component}': ${detail}`,
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_TABLE;
export type ErrorDetails<C extends ErrorCode> = Parameters<(typeof ERROR_TABLE)[C]['message']>;

/** Every error that Millrace raises on purpose. `code` is from the table, `cause` what user code threw, if it did. */
export class MillraceError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'MillraceError';
  readonly code: C;
  readonly retriable: boolean;
  /** What the message was made of. */
  readonly details: ErrorDetails<C>;
  constructor(code: C, details: ErrorDetails<C>, cause?: unknown) {
    const row: { readonly retry: boolean; readonly message: (...details: ErrorDetails<C>) => string } = ERROR_TABLE[
      code
    ] as never;
    super(row.message(...details), cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
    this.retriable = row.retry;
  }
}

/** What a thrown value says: its message, or itself as text when it is no Error. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
