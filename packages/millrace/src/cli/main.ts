/** The command `millrace`. The file that installs as the command checks Node's version and then loads this one. */
import { main } from './program.ts';

await main(process.argv.slice(2));
