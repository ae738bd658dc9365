/** Standard output beside a live view: while that is painting, written lines go above it. */
import type { Output } from '../runtime/resources.ts';
import type { LiveScreen } from './screen.ts';

export function outputAbove(screen: LiveScreen, output: Output): Output {
  return {
    write(text) {
      if (!screen.painting) return output.write(text);
      for (const line of text.replace(/\n$/, '').split('\n')) screen.log(line);
      return true;
    },
    onDrain: (drained) => output.onDrain(drained),
  };
}
