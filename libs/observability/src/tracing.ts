import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import { isDevelopment } from '@soma/kernel';
import type { ObservabilityConfig } from './settings.ts';
import { useTracer } from './span.ts';

/** Batches as large and as late as the collector likes in production, and soon visible at home. */
export const batchLimits = (): { maxExportBatchSize: number; scheduledDelayMillis: number } =>
  isDevelopment()
    ? { maxExportBatchSize: 64, scheduledDelayMillis: 2_000 }
    : { maxExportBatchSize: 512, scheduledDelayMillis: 10_000 };

/**
 * Sends this process's spans to the collector from now on, or does nothing when tracing is off.
 *
 * @returns What ends it: sends the rest.
 */
export async function startTracing(
  service: string,
  config: ObservabilityConfig,
): Promise<() => Promise<void>> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = config;
  if (endpoint === undefined) {
    return () => Promise.resolve();
  }
  const provider = new TracerProvider({
    resource: describeProcess(service, config),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: await createExporter(config.OTEL_EXPORTER_OTLP_PROTOCOL, endpoint),
        ...batchLimits(),
      }),
    ],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  useTracer(provider.getTracer('soma'));
  return async () => {
    useTracer(undefined);
    trace.disable();
    context.disable();
    propagation.disable();
    await provider.shutdown();
  };
}

/** How this process is called in traces. */
export function describeProcess(service: string, config: ObservabilityConfig): Resource {
  return resourceFromAttributes({
    'service.name': config.OTEL_SERVICE_NAME ?? service,
    'host.name': config.HOSTNAME,
    'k8s.namespace.name': config.K8S_NAMESPACE,
    'k8s.pod.name': config.K8S_POD_NAME,
  });
}

/** Only the protocol that is asked for is loaded: gRPC alone takes 10 MB. */
async function createExporter(
  protocol: ObservabilityConfig['OTEL_EXPORTER_OTLP_PROTOCOL'],
  endpoint: string,
): Promise<SpanExporter> {
  switch (protocol) {
    case 'http/protobuf': {
      const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
      return new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` });
    }
    case 'grpc': {
      const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-grpc');
      return new OTLPTraceExporter({ url: endpoint });
    }
  }
}
