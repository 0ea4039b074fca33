/*
 * Loaded into every process of a benchmark before its program, with `--expose-gc`. It answers
 * `{ do: 'collect' }` with the size of the heap after a collection, in bytes, and ends the process
 * when the benchmark itself has ended, however that came about.
 */
process.on('message', (order: { do: string }) => {
  if (order.do !== 'collect') return;
  // Twice: the first one may only have queued finalizers.
  globalThis.gc?.();
  globalThis.gc?.();
  process.send?.(process.memoryUsage().heapUsed);
});
process.on('disconnect', () => process.exit());
