/** The command `millrace`. The file that installs as the command checks Node's version and then loads this one. */
import { enableCompileCache } from 'node:module';

// Compiled code is kept in the folder for temporary files: from the second start on a command needs a third of the time.
enableCompileCache();
const { main } = await import('./program.ts');
await main(process.argv.slice(2));
