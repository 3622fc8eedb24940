// Runs a script in a real MicroPython: node run_micropython.mjs PACKAGE_FOLDER SCRIPT FILE...
// Every file is put beside the script in MicroPython's own memory file system. An uncaught exception is a failure.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, script, ...files] = process.argv.slice(2);
const { loadMicroPython } = await import(pathToFileURL(`${folder}/micropython.mjs`));
const python = await loadMicroPython({ heapsize: 8 * 1024 * 1024, stdout: (line) => console.log(line), linebuffer: true });
for (const file of files) {
  python.FS.writeFile(`/${basename(file)}`, readFileSync(file));
}
python.runPython('import sys; sys.path.insert(0, "/")');
try {
  python.runPython(readFileSync(script, "utf8"));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
