/** Ends the servers that the setup started for this run alone. */
export default async function globalTeardown() {
  await globalThis[Symbol.for('soma.test-servers')]?.[Symbol.asyncDispose]();
}
