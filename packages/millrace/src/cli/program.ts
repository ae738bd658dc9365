/**
 * The commands, their arguments and their help. What a command does is loaded when it is called, so that the others
 * start fast.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { Duration } from '../duration.ts';
import { milliseconds } from '../duration.ts';
import { KAFKA_PORT } from './kafka-server.ts';
import { packageVersion } from './package-version.ts';
import { EXIT, exitCodeOf, failureText } from './report.ts';
import { leaveWhenReaderIsGone } from './terminal.ts';

/** Runs one command line. Sets the exit code; never rejects. */
export async function main(args: readonly string[]): Promise<void> {
  const program = makeProgram();
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      // It has printed what is wrong, or the help that was asked for.
      process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
      return;
    }
    process.stderr.write(`error: ${failureText(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}

function makeProgram(): Command {
  const program = new Command('millrace')
    .description('Stream processing for TypeScript: spouts, bolts and topologies over an embedded, durable log.')
    .version(packageVersion(), '-v, --version', 'print the version')
    .helpCommand('help [command]', 'explain a command')
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({ writeOut: printHelp })
    .showSuggestionAfterError(true)
    .exitOverride();
  addRun(program);
  addBroker(program);
  addNew(program);
  addTopics(program);
  addRecords(program);
  addLedger(program);
  addGraph(program);
  addInspection(program);
  addCheckpoints(program);
  addControl(program);
  program.addHelpText(
    'after',
    `
Start here:
  $ millrace new my-app           a small project that runs
  $ millrace run src/topology.ts  run a topology; Ctrl-C finishes what is inside and stops
  $ millrace status               what it does, from another terminal
  $ millrace explain              how far event time has come, and who holds it
  $ millrace broker               a Kafka on port 9092, for any client

Data lives in .millrace/ beside the nearest package.json; --data DIR names another place.
Exit codes: 0 done, 1 failed, 2 not understood, 130 left at once. MILLRACE_DEBUG=1 shows stacks.`,
  );
  return program;
}

function addRun(program: Command): void {
  command(program, 'run <module>', 'run the topology that a module exports, until it ends', [
    ['millrace run src/detector.ts', 'TypeScript runs as it is, without a build'],
    ['millrace run src/detector.ts --set window=10s --set limits.z=2', 'config for t.config(schema)'],
    ['millrace run src/detector.ts --fresh --metrics-port 9100', 'from nothing, with metrics for Prometheus'],
    ['millrace run src/detector.ts --brokers kafka-1:9092,kafka-2:9092', 'the same topology on Apache Kafka'],
    ['millrace run src/detector.ts --dry-run', 'which state the next start would take over'],
    ['millrace run src/detector.ts --from ../savepoint --rename stats=totals', 'from a savepoint, with a new name'],
  ])
    .option('--config <file>', 'JSON file with the config of the topology')
    .option('--set <key=value>', 'set one value of the config: JSON or text; may be repeated', collect)
    .addOption(dataOption('the data directory (default: .millrace beside the package.json nearest to the module)'))
    .option('--fresh', 'empty the data directory first: topics, offsets, checkpoints and ledger')
    .option('--brokers <host:port,...>', 'Kafka brokers that hold the topics instead of the data directory', list)
    .addOption(guaranteeOption())
    .option('--checkpoint-interval <duration>', 'from one checkpoint to the next (default: 100ms)', duration)
    .option('--checkpoint-pause <duration>', 'from the end of one to the next, at least (default: 10ms)', duration)
    .option('--checkpoint-timeout <duration>', 'one that takes longer is given up (default: 1m)', duration)
    .option('--retain <count>', 'how many checkpoints are kept (default: 3)', count)
    .option('--from <checkpoint>', 'go on from this checkpoint, such as 3.17, or from the folder of a savepoint')
    .option('--rename <old=new>', 'a component has another name than in the checkpoint; may be repeated', collect)
    .option('--drop <component[.state]>', 'give up what the checkpoint has of it; may be repeated', collect)
    .option('--dry-run', 'start nothing: say what would be taken over from the checkpoint, and what not')
    .addOption(
      new Option(
        '--kafka-port <port>',
        "the port of 127.0.0.1 for Kafka's protocol; 0: any free one (default: 9092, or any free one where that is taken)",
      )
        .argParser(port)
        .conflicts('brokers'),
    )
    .option('--no-kafka', "do not serve the topics by Kafka's protocol")
    .option('--metrics-port <port>', 'serve /metrics and /health on this port of 127.0.0.1; 0: any free one', port)
    .option('--quiet', 'say nothing but why it failed')
    .option('--json', 'notices as one JSON object per line, on standard error')
    .action(async (module, options) => {
      const { runCommand } = await import('./commands/run-command.ts');
      await runCommand(module, options);
    });
}

function addBroker(program: Command): void {
  command(program, 'broker', 'a single-node Kafka over the data directory, until Ctrl-C', [
    ['millrace broker', 'on 127.0.0.1:9092, for every program of this machine'],
    [
      'millrace broker --port 0 --data /tmp/try --set num.partitions=4',
      'any free port; new topics get four partitions',
    ],
    [
      'millrace broker --host 0.0.0.0 --allow-remote --advertise kafka.lan',
      'for other machines, without authentication',
    ],
  ])
    .addOption(dataOption())
    .option('--port <port>', 'the port to listen on; 0: any free one', port, KAFKA_PORT)
    .option('--host <address>', 'the address to listen on', '127.0.0.1')
    .option('--allow-remote', 'needed for an address that other machines can reach: there is no authentication')
    .option(
      '--advertise <host[:port]>',
      'where clients are told to connect; by default the address that they have reached',
    )
    .option('--no-fsync', 'acknowledge before records are on the disk: faster, and a power cut loses some of them')
    .option('--set <setting=value>', "a broker setting, by Kafka's name; may be repeated", collect)
    .option('--quiet', 'say nothing but why it failed')
    .option('--json', 'notices as one JSON object per line, on standard error')
    .action(async (options) => {
      const { brokerCommand } = await import('./commands/broker-command.ts');
      await brokerCommand(options);
    });
}

function addNew(program: Command): void {
  command(program, 'new <name>', 'make a small project that runs: a topology, its test, and what they need', [
    ['millrace new sensors', 'makes the folder sensors/'],
  ]).action(
    reading(async (name) => {
      const { newCommand } = await import('./commands/new-command.ts');
      newCommand(name);
    }),
  );
}

function addTopics(program: Command): void {
  const topics = program
    .command('topics')
    .description('list, make, describe, change and delete topics of the log in the data directory')
    .exitOverride();
  const sub = (signature: string, description: string, examples: Examples = []): Command =>
    command(topics, signature, description, examples).addOption(dataOption()).addOption(jsonOption());
  const load = () => import('./commands/topics-command.ts');
  sub('list', 'all topics').action(reading(async (options) => (await load()).listTopics(options)));
  sub('describe <topic>', 'partitions, settings, and how far each consumer group is behind', [
    ['millrace topics describe readings --group detector', 'the lag of one group'],
  ])
    .option('--group <group>', 'only this consumer group')
    .action(reading(async (topic, options) => (await load()).describeTopic(topic, options)));
  sub('create <topic>', 'make a topic', [
    ['millrace topics create readings --partitions 4 --set retention.ms=604800000', 'a week of readings'],
  ])
    .option('--partitions <count>', 'how many partitions it has, for good', count, 1)
    .option('--set <setting=value>', "a setting, by Kafka's name; may be repeated", collect)
    .action(reading(async (topic, options) => (await load()).createTopic(topic, options)));
  sub('alter <topic>', "change a topic's settings", [
    ['millrace topics alter readings --set retention.ms=86400000', 'keep one day from now on'],
  ])
    .requiredOption('--set <setting=value>', "a setting, by Kafka's name; may be repeated", collect)
    .action(reading(async (topic, options) => (await load()).alterTopic(topic, options)));
  sub('delete <topic>', 'delete a topic and all its records').action(
    reading(async (topic, options) => (await load()).deleteTopic(topic, options)),
  );
}

function addRecords(program: Command): void {
  command(
    program,
    'produce <topic>',
    'write lines of standard input to a topic of the data directory, one record each',
    [
      ['echo \'{"device":"a","value":51}\' | millrace produce readings', 'one record'],
      ['millrace produce readings --key-separator : < lines.txt', "lines like 'a:{…}': the key before the first colon"],
    ],
  )
    .option('--key-separator <text>', 'what stands between key and value on each line; without it records have no key')
    .option('--null <text>', 'a value that is this text becomes a record without a value')
    .option('--partition <number>', 'the partition to write to, instead of the one that the key decides', count0)
    .option('--header <name=value>', 'a header for every record; may be repeated', collect)
    .addOption(dataOption())
    .addOption(jsonOption())
    .action(
      reading(async (topic, options) => {
        const { produceCommand } = await import('./commands/produce-command.ts');
        await produceCommand(topic, options);
      }),
    );
  command(program, 'consume <topic>', 'print the records of a topic of the data directory, to its end or on and on', [
    ['millrace consume alerts', 'all that is there, one value per line'],
    ['millrace consume alerts --from 10m --follow', 'the last ten minutes, and what comes'],
    ["millrace consume readings --format '%p:%o %k %v\\n' --max 5", 'partition, offset, key and value of five records'],
  ])
    .option(
      '--from <where>',
      'earliest, latest, an offset, a time (2026-01-31T12:00:00Z), or how long ago (10m)',
      'earliest',
    )
    .option('--partition <number>', 'only this partition', count0)
    .option('--max <count>', 'stop after so many records', count)
    .option('--follow', 'go on with what arrives, until Ctrl-C')
    .option(
      '--format <format>',
      '%v value, %k key, %t topic, %p partition, %o offset, %T time in ms, %h headers',
      '%v\\n',
    )
    .addOption(dataOption())
    .option('--json', 'one JSON object per record and line')
    .action(
      reading(async (topic, options) => {
        const { consumeCommand } = await import('./commands/consume-command.ts');
        await consumeCommand(topic, options);
      }),
    );
}

function addLedger(program: Command): void {
  const ledger = program
    .command('ledger')
    .description('records that did not come out at the other end: why, where, and once more')
    .exitOverride();
  const filters = (of: Command): Command =>
    of
      .option('--component <id>', 'only those of this component')
      .option('--cause <cause>', 'only those of this cause: null, malformed, key, error, late, time, dropped');
  const load = () => import('./commands/ledger-command.ts');
  filters(command(ledger, 'list', 'the newest entries, and how many there are'))
    .option('--limit <count>', 'how many to show', count, 20)
    .addOption(dataOption())
    .addOption(jsonOption())
    .action(reading(async (options) => (await load()).listLedger(options)));
  command(ledger, 'show <id>', 'one entry with its payload')
    .addOption(dataOption())
    .addOption(jsonOption())
    .action(reading(async (id, options) => (await load()).showEntry(id, options)));
  filters(
    command(ledger, 'replay [id...]', 'give entries to the running topology again, where they fell out', [
      ['millrace ledger replay --all --component detect', 'after its bug was mended and the topology started again'],
    ]),
  )
    .option('--all', 'all that the other options let through and that were not replayed yet')
    .addOption(dataOption())
    .addOption(jsonOption())
    .action(reading(async (ids, options) => (await load()).replayEntries(ids, options)));
}

function addGraph(program: Command): void {
  command(program, 'graph <module>', 'draw a topology as a Mermaid flowchart', [
    ['millrace graph src/detector.ts > topology.mmd', 'for a README, or https://mermaid.live'],
  ])
    .option('--config <file>', 'JSON file with the config of the topology')
    .option('--set <key=value>', 'set one value of the config; may be repeated', collect)
    .option('--json', 'the plan itself')
    .action(
      reading(async (module, options) => {
        const { graphCommand } = await import('./commands/graph-command.ts');
        await graphCommand(module, options);
      }),
    );
  command(program, 'receipt <module>', 'what each path from a spout to a sink is guaranteed, and why not more', [
    ['millrace receipt src/detector.ts', 'the most that each path allows: what a run gives'],
    ['millrace receipt src/detector.ts --guarantee exactly-once', 'fails, with the reasons, if a path cannot give it'],
  ])
    .addOption(guaranteeOption())
    .option('--config <file>', 'JSON file with the config of the topology')
    .option('--set <key=value>', 'set one value of the config; may be repeated', collect)
    .addOption(jsonOption())
    .action(
      reading(async (module, options) => {
        const { receiptCommand } = await import('./commands/receipt-command.ts');
        await receiptCommand(module, options);
      }),
    );
}

function addInspection(program: Command): void {
  command(program, 'explain [component]', 'why a window or a timer has not fired, and what would make it fire', [
    ['millrace explain', 'how far event time has come, component by component, and who holds it'],
    ['millrace explain stats', "the next window or timer of 'stats'"],
    ['millrace explain stats --key device-7 --time 2026-01-31T12:00:00Z', 'one of a key, one of a time'],
  ])
    .option('--key <key>', 'the next one of this key: text, or JSON where it is no text: 42, true, \'["a",1]\'')
    .option('--time <time>', 'what holds event time short of this: a date and time, or milliseconds since 1970')
    .addOption(dataOption())
    .addOption(jsonOption())
    .action(
      reading(async (component, options) => {
        const { explainCommand } = await import('./commands/explain-command.ts');
        await explainCommand(component, options);
      }),
    );
  command(program, 'state <component> [key]', 'what a component of the running topology keeps for a key', [
    ['millrace state stats device-7', 'its state and its timers'],
    ['millrace state stats \'["nl",7]\'', 'a key that is no text is written as JSON'],
    ['millrace state stats --keys', 'which keys there are'],
  ])
    .option('--keys', 'list the keys instead')
    .option('--limit <count>', 'how many keys to list', count, 100)
    .addOption(dataOption())
    .addOption(jsonOption())
    .action(
      reading(async (component, key, options) => {
        const { stateCommand } = await import('./commands/state-command.ts');
        await stateCommand(component, key, options);
      }),
    );
}

function addCheckpoints(program: Command): void {
  const load = () => import('./commands/checkpoints-command.ts');
  command(program, 'checkpoints', 'the checkpoints that are kept, and how the running topology makes them', [
    ['millrace checkpoints', 'their age, size and outputs; whom the one under way waits for'],
  ])
    .addOption(dataOption())
    .addOption(jsonOption())
    .action(reading(async (options) => (await load()).listCheckpoints(options)));
  command(program, 'savepoint [directory]', 'save a checkpoint for good, in a folder of its own', [
    [
      'millrace savepoint ../before-the-upgrade',
      'a new checkpoint of the running topology, or the last one of a stopped',
    ],
    ['millrace run src/detector.ts --from ../before-the-upgrade', 'goes on from it, as often as you like'],
  ])
    .option('--topology <name>', 'which one, where a data directory has checkpoints of several that do not run')
    .addOption(dataOption())
    .addOption(jsonOption())
    .action(reading(async (directory, options) => (await load()).makeSavepoint(directory, options)));
}

function addControl(program: Command): void {
  const load = () => import('./commands/control-command.ts');
  command(program, 'status', 'what the running topology does: counts, latencies, queues')
    .addOption(dataOption())
    .addOption(jsonOption())
    .action(reading(async (options) => (await load()).showStatus(options)));
  const verb = (name: string, description: string): Command =>
    command(program, name, description).addOption(dataOption()).addOption(jsonOption());
  verb('activate', 'let the spouts of the running topology give again').action(
    reading(async (options) => (await load()).tell('activate', options)),
  );
  verb('deactivate', 'stop the spouts; what is inside flows on').action(
    reading(async (options) => (await load()).tell('deactivate', options)),
  );
  verb('kill', 'stop the running topology: what is inside is finished and committed first')
    .addOption(new Option('--now', 'leave at once: nothing is finished, nothing more is committed').conflicts('drain'))
    .option('--drain', 'close open windows with what they hold: event time goes to its end')
    .action(reading(async (options) => (await load()).stop(options)));
}

type Examples = readonly (readonly [line: string, meaning: string])[];

function command(parent: Command, signature: string, description: string, examples: Examples = []): Command {
  const made = parent
    .command(signature)
    .description(description)
    .exitOverride()
    .showHelpAfterError('(--help explains)');
  if (examples.length > 0) {
    const lines = examples.map(([line, meaning]) => `  $ ${line}\n      ${meaning}`);
    made.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
  }
  return made;
}

/** Help, and the version. */
function printHelp(text: string): void {
  leaveWhenReaderIsGone();
  process.stdout.write(text);
}

/** A command that only prints: when its reader has gone it has nothing left to do. */
function reading<A extends unknown[]>(action: (...args: A) => Promise<void>): (...args: A) => Promise<void> {
  return async (...args) => {
    leaveWhenReaderIsGone();
    await action(...args);
  };
}

function guaranteeOption(): Option {
  const text = 'what is asked of all paths (default: each path gets the most that it allows)';
  return new Option('--guarantee <guarantee>', text).choices(['at-most-once', 'at-least-once', 'exactly-once']);
}
function dataOption(text = 'the data directory (default: .millrace beside the nearest package.json)'): Option {
  return new Option('--data <dir>', text);
}
function jsonOption(): Option {
  return new Option('--json', 'as JSON, for scripts');
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
function list(text: string): readonly string[] {
  return text.split(',').map((item) => item.trim());
}
function count0(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be an integer of 0 or more.');
  return Number(text);
}
function count(text: string): number {
  const n = count0(text);
  if (n === 0) throw new InvalidArgumentError('It must be 1 or more.');
  return n;
}
function duration(text: string): Duration {
  try {
    milliseconds(text as Duration);
  } catch {
    throw new InvalidArgumentError("It must be a duration such as '250ms', '10s', '1m30s'.");
  }
  return text as Duration;
}
function port(text: string): number {
  const n = count0(text);
  if (n > 65_535) throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return n;
}
