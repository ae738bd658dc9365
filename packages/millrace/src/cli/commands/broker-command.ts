/** `millrace broker`: a single-node Kafka over a data directory, until a signal ends it. */
import { Broker } from '@millrace/broker';
import { serveControl } from '../../engine/control-server.ts';
import { MillraceError } from '../../errors.ts';
import { realRuntime } from '../../runtime/real.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { readConfigPairs } from '../config.ts';
import type { DataDirectory } from '../data-directory.ts';
import { announceControl, awaitDataDirectory, defaultDataDirectory, socketPath } from '../data-directory.ts';
import type { Notices } from '../notices.ts';
import { noticesOn } from '../notices.ts';
import { openFiles } from '../open-files.ts';
import { EXIT, exitCodeOf, failureText } from '../report.ts';
import { onSignals } from '../signals.ts';
import { shortPath } from '../user-frames.ts';

export interface BrokerCommandOptions {
  readonly data?: string;
  readonly port: number;
  readonly host: string;
  readonly allowRemote?: boolean;
  readonly advertise?: string;
  readonly fsync: boolean;
  readonly set?: readonly string[];
  readonly quiet?: boolean;
  readonly json?: boolean;
}

type Endpoint = { readonly host: string; readonly port?: number };

interface Surroundings extends BrokerCommandOptions {
  readonly runtime: Runtime;
  readonly notices: Notices;
  readonly advertised: Endpoint | undefined;
  /** Resolves at the first signal. */
  readonly stopped: Promise<void>;
}

export async function brokerCommand(options: BrokerCommandOptions): Promise<void> {
  const { json = false, quiet = false, advertise } = options;
  const advertised = advertise === undefined ? undefined : endpointOf(advertise);
  const runtime = realRuntime();
  const notices = noticesOn(process.stderr, { painting: false, log: () => {} }, runtime.clock, { json, quiet });
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  const removeSignals = onSignals(
    runtime.clock,
    () => {
      notices.say('stopping', {}, 'stopping: what was asked is answered first; once more (Ctrl-C) leaves at once');
      stop();
    },
    () => process.exit(EXIT.left),
  );
  try {
    const data = await awaitDataDirectory(options.data ?? defaultDataDirectory(process.cwd()), {});
    try {
      await serveFrom(data, { ...options, runtime, notices, advertised, stopped });
    } finally {
      data.release();
    }
    notices.say('stopped', {}, 'stopped');
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    notices.fail(typeof code === 'string' ? code : undefined, failureText(error));
    process.exitCode = exitCodeOf(error);
  } finally {
    removeSignals();
  }
}

async function serveFrom(data: DataDirectory, around: Surroundings): Promise<void> {
  const { runtime, notices, advertised, host, port, fsync, allowRemote = false, stopped } = around;
  const files = await openFiles(data, runtime, undefined, { fsync });
  try {
    const broker = await Broker.start({
      log: files.log,
      host,
      port,
      allowRemote,
      ...(advertised === undefined ? {} : { advertised }),
      settings: readConfigPairs(around.set),
      onRemark: (remark) => notices.log(undefined, remark),
    });
    try {
      const path = socketPath(data.path);
      const control = await serveControl(runtime.sockets, { path }, files.methods);
      try {
        announceControl(data.path, path, { broker: broker.bootstrap });
        sayStart(data.path, broker, around);
        await stopped;
      } finally {
        await control.close();
      }
    } finally {
      await broker.close();
    }
  } finally {
    await files.close();
  }
}

function sayStart(
  data: string,
  { bootstrap, port }: Broker,
  { notices, advertised, fsync, allowRemote }: Surroundings,
): void {
  const told = advertised === undefined ? undefined : addressText(advertised, port);
  const ready = Math.round(performance.now());
  notices.say(
    'ready',
    { data, bootstrap, advertised: told, fsync, pid: process.pid, ready },
    `data       ${shortPath(data)}`,
    `kafka      ${bootstrap}${told === undefined ? '' : `, told to clients as ${told}`}`,
    ...(allowRemote
      ? ['remote     allowed, without authentication: whoever reaches it may read, write and delete']
      : []),
    ...(fsync ? [] : ['fsync      off: what was acknowledged survives the end of this process, not a power cut']),
    `ready      in ${ready} ms; Ctrl-C stops`,
    `try        kcat -b ${told ?? bootstrap} -L`,
  );
}

function addressText({ host, port }: Endpoint, otherwise: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port ?? otherwise}`;
}

/** `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`. */
function endpointOf(text: string): Endpoint {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = digits === undefined ? undefined : Number(digits);
  if (host === undefined || port === 0 || (port ?? 1) > 65_535)
    throw new MillraceError('MR_USAGE', [
      `--advertise ${text} is not understood: write HOST or HOST:PORT, an IPv6 address as [ADDRESS]:PORT`,
    ]);
  return { host, ...(port === undefined ? {} : { port }) };
}
