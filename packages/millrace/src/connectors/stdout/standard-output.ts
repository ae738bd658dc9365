/** Standard output as a resource of a run: whoever starts the run hands it `process.stdout`. */
import type { Writable } from 'node:stream';
import type { Output } from '../../runtime/resources.ts';

/** `onGone` is called once when the reader has closed its end (EPIPE). Any other failure of the stream is thrown by `write`. */
export function standardOutput(stream: Writable, onGone: () => void = () => {}): Output {
  let gone = false;
  let failure: Error | undefined;
  let waiting: (() => void)[] = [];
  const release = () => {
    const drained = waiting;
    waiting = [];
    for (const callback of drained) callback();
  };
  stream.on('drain', release);
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || error.code === 'EOF') {
      if (!gone) onGone();
      gone = true;
    } else {
      failure = error;
    }
    release();
  });
  return {
    write(text) {
      if (failure) throw failure;
      return gone || stream.write(text);
    },
    onDrain(drained) {
      if (gone || failure || !stream.writableNeedDrain) drained();
      else waiting.push(drained);
    },
  };
}
