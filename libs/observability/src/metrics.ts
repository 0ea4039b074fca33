import {
  collectDefaultMetrics,
  Counter,
  type CounterConfiguration,
  Gauge,
  type GaugeConfiguration,
  Histogram,
  type HistogramConfiguration,
  Registry,
} from 'prom-client';

/**
 * The metrics of this process.
 *
 * A name is `soma_<what>` with the unit at its end, `_total` for counters. Labels come from small
 * fixed sets: never a tenant, a session or a path.
 */
const registry = new Registry();
collectDefaultMetrics({ register: registry });

/** Content type of {@link renderMetrics}. */
export const METRICS_CONTENT_TYPE = registry.contentType;

/** Waits in seconds, from a fast query to a slow model. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Something that only grows. The same name gives the same counter. */
export function counter<Label extends string = never>(
  options: Omit<CounterConfiguration<Label>, 'registers'>,
): Counter<Label> {
  const existing = registry.getSingleMetric(options.name);
  return (existing as Counter<Label> | undefined) ?? new Counter(inRegistry(options));
}

/** Something that goes up and down. `collect` may read it only when the metrics are asked for. */
export function gauge<Label extends string = never>(
  options: Omit<GaugeConfiguration<Label>, 'registers'>,
): Gauge<Label> {
  const existing = registry.getSingleMetric(options.name);
  return (existing as Gauge<Label> | undefined) ?? new Gauge(inRegistry(options));
}

/** A distribution, by default of seconds. */
export function histogram<Label extends string = never>(
  options: Omit<HistogramConfiguration<Label>, 'registers'>,
): Histogram<Label> {
  const existing = registry.getSingleMetric(options.name);
  return (
    (existing as Histogram<Label> | undefined) ??
    new Histogram(inRegistry({ buckets: SECONDS, ...options }))
  );
}

/** All metrics of this process in the Prometheus text format. */
export function renderMetrics(): Promise<string> {
  return registry.metrics();
}

function inRegistry<Options extends object>(options: Options): Options & { registers: Registry[] } {
  return { ...options, registers: [registry] };
}

export type { Counter, Gauge, Histogram };
