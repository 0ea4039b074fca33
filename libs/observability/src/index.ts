export { recordCircuitState } from './circuit-metrics.ts';
export {
  addLogContext,
  currentLogContext,
  type LogContext,
  withLogContext,
} from './log-context.ts';
export { createLogger, type Logger, type LoggerOptions } from './logger.ts';
export {
  type Counter,
  counter,
  type Gauge,
  gauge,
  type Histogram,
  histogram,
  METRICS_CONTENT_TYPE,
  renderMetrics,
} from './metrics.ts';
export { NestLogger } from './nest-logger.ts';
export { type ObservabilityConfig, observabilitySettings } from './settings.ts';
export {
  REQUEST_ID_HEADER,
  requestIdIn,
  setSpanAttributes,
  Span,
  type SpanOptions,
  startSpan,
  traceHeaders,
  type TraceHeaders,
  withSpan,
} from './span.ts';
export { startTracing } from './tracing.ts';
