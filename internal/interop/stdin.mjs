// How each server here is run: one line of JSON on stdin says what to serve, one line of JSON on stdout says where,
// and the process ends when its stdin does, so that none outlives the tests that started it.
import { createInterface } from 'node:readline';

const lines = createInterface({ input: process.stdin });
lines.on('close', () => process.exit(0));

export const settings = new Promise((resolve) => {
  lines.once('line', (line) => resolve(JSON.parse(line)));
});

export function ready(urls) {
  process.stdout.write(`${JSON.stringify(urls)}\n`);
}

// Listens on a free port of the loopback interface; resolves to the origin.
export async function listen(server, scheme) {
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return `${scheme}://127.0.0.1:${server.address().port}`;
}
