import { optionalUrlSetting } from '@soma/kernel';
import { z } from 'zod';

/** The settings that every service has for its logs and traces; spread them into its schema. */
export const observabilitySettings = {
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('The least severe lines that are written.'),
  OTEL_EXPORTER_OTLP_ENDPOINT: optionalUrlSetting(
    'https://alloy.monitoring.svc.cluster.local:4318',
  ).describe('Where traces go. Empty turns tracing off.'),
  OTEL_EXPORTER_OTLP_PROTOCOL: z
    .enum(['http/protobuf', 'grpc'])
    .default('http/protobuf')
    .describe('How traces are sent.'),
  OTEL_SERVICE_NAME: z.string().optional().describe('The service in traces, by default the app.'),
  HOSTNAME: z.string().optional().describe('The host in traces.'),
  K8S_NAMESPACE: z.string().optional().describe('The Kubernetes namespace in traces.'),
  K8S_POD_NAME: z.string().optional().describe('The pod in traces.'),
};

/** The values of {@link observabilitySettings}. */
export type ObservabilityConfig = z.output<z.ZodObject<typeof observabilitySettings>>;
