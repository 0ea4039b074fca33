{{- /* The values of one app, or of the migration job. */ -}}
{{- define "soma.values" -}}
{{- if eq .app "provision" -}}
{{- toYaml .root.Values.provision -}}
{{- else -}}
{{- toYaml (index .root.Values.apps .app) -}}
{{- end -}}
{{- end -}}

{{- define "soma.selector" -}}
app.kubernetes.io/name: {{ .app }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{- define "soma.labels" -}}
{{ include "soma.selector" . }}
app.kubernetes.io/part-of: soma
app.kubernetes.io/version: {{ include "soma.tag" .root | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end -}}

{{- define "soma.tag" -}}
{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- /* What an app's schema says about its settings; generated from the app itself. */ -}}
{{- define "soma.schema" -}}
{{- .root.Files.Get (printf "settings/%s.json" .app) | required (printf "settings/%s.json is missing: run npm run generate" .app) -}}
{{- end -}}

{{- /* A setting that nobody reads is a mistake of whoever wrote it: say so. */ -}}
{{- define "soma.checkNames" -}}
{{- $known := list -}}
{{- range $app := append (keys .Values.apps) "provision" -}}
{{- $values := include "soma.values" (dict "root" $ "app" $app) | fromYaml -}}
{{- $names := list -}}
{{- range include "soma.schema" (dict "root" $ "app" $app) | fromJsonArray -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- range $name := concat (keys ($values.settings | default dict)) (keys ($values.secrets | default dict)) -}}
{{- if not (has $name $names) -}}
{{- fail (printf "%s has no setting %s" $app $name) -}}
{{- end -}}
{{- end -}}
{{- range $name := concat (keys ($values.variables | default dict)) (keys ($values.secretVariables | default dict)) -}}
{{- if has $name $names -}}
{{- fail (printf "%s is a setting of %s: name it under settings or secrets" $name $app) -}}
{{- end -}}
{{- end -}}
{{- $known = concat $known $names -}}
{{- end -}}
{{- range $name := concat (keys .Values.settings) (keys .Values.secrets) -}}
{{- if not (has $name $known) -}}
{{- fail (printf "no service has a setting %s" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The secrets of an app: its own, and the shared ones that its schema has. */ -}}
{{- define "soma.secrets" -}}
{{- $values := include "soma.values" . | fromYaml -}}
{{- $given := merge (dict) ($values.secrets | default dict) .root.Values.secrets -}}
{{- $taken := dict -}}
{{- range include "soma.schema" . | fromJsonArray -}}
{{- if hasKey $given .name -}}
{{- $_ := set $taken .name (index $given .name) -}}
{{- end -}}
{{- end -}}
{{- toYaml (merge $taken ($values.secretVariables | default dict)) -}}
{{- end -}}

{{- /* What a plain setting of an app is; empty where nothing is said. */ -}}
{{- define "soma.plain" -}}
{{- $values := include "soma.values" . | fromYaml -}}
{{- index (merge (dict) ($values.settings | default dict) .root.Values.settings) .setting | default "" -}}
{{- end -}}

{{- /* `without`: a setting that this program does not get here. */ -}}
{{- define "soma.env" -}}
{{- $root := .root -}}
{{- $without := .without | default "" -}}
{{- $app := .app -}}
{{- $values := include "soma.values" . | fromYaml -}}
{{- $plain := merge (dict) ($values.settings | default dict) $root.Values.settings -}}
{{- $secrets := include "soma.secrets" . | fromYaml -}}
- name: NODE_ENV
  value: production
{{- range include "soma.schema" . | fromJsonArray }}
{{- if eq .name $without }}
{{- else if hasKey $secrets .name }}
- name: {{ hasSuffix "_FILE" .name | ternary .name (printf "%s_FILE" .name) }}
  value: /run/secrets/soma/{{ .name }}
{{- else if hasKey $plain .name }}
{{- $value := index $plain .name | toString }}
{{- if and .secret (or (not (contains "://" $value)) (contains "@" $value)) }}
{{- fail (printf "%s is a secret: name it under secrets, not under settings" .name) }}
{{- end }}
- name: {{ .name }}
  value: {{ $value | quote }}
{{- else if eq .name "OPA_URL" }}
- name: OPA_URL
  value: {{ $root.Values.policy.sidecar.enabled | ternary "http://localhost:8181" (printf "http://opa.%s.svc.cluster.local:8181" $root.Release.Namespace) }}
{{- else if eq .name "POLICY_BUNDLE_FILE" }}
- name: POLICY_BUNDLE_FILE
  value: /run/policy/{{ $root.Values.policy.bundle }}
{{- else if eq .name "API_BASE_URL" }}
- name: API_BASE_URL
  value: https://{{ $root.Values.ingress.host }}
{{- else if eq .name "AUDIT_FALLBACK_FILE" }}
- name: AUDIT_FALLBACK_FILE
  value: /var/lib/soma/audit-events
{{- else if and (eq .name "INTEGRATIONS_CONNECTION_TYPES_DIR") $root.Values.connectionTypes.configMap }}
- name: INTEGRATIONS_CONNECTION_TYPES_DIR
  value: /run/connection-types
{{- else if eq .name "OPENFGA_API_URL" }}
- name: OPENFGA_API_URL
  value: http://openfga.{{ $root.Release.Namespace }}.svc.cluster.local:8080
{{- else if eq .name "SOMA_VERSION" }}
- name: SOMA_VERSION
  value: {{ include "soma.tag" $root | quote }}
{{- else if eq .name "K8S_POD_NAME" }}
- name: K8S_POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
{{- else if eq .name "K8S_NAMESPACE" }}
- name: K8S_NAMESPACE
  valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
{{- else if .required }}
{{- fail (printf "%s needs %s, under settings or secrets" $app .name) }}
{{- end }}
{{- end }}
{{- range $name, $value := $values.variables }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- range $name, $ref := $values.secretVariables }}
- name: {{ $name }}_FILE
  value: /run/secrets/soma/{{ $name }}
{{- end }}
{{- end -}}

{{- /* Not empty where an app's schema has the setting. */ -}}
{{- define "soma.reads" -}}
{{- range include "soma.schema" . | fromJsonArray -}}
{{- if eq .name $.setting -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{- define "soma.asksPolicy" -}}
{{- include "soma.reads" (merge (dict "setting" "OPA_URL") .) -}}
{{- end -}}

{{- define "soma.servesPolicy" -}}
{{- include "soma.reads" (merge (dict "setting" "POLICY_BUNDLE_FILE") .) -}}
{{- end -}}

{{- /* How long a service may finish what it has begun, in seconds. */ -}}
{{- define "soma.grace" -}}
{{- $values := include "soma.values" . | fromYaml -}}
{{- $plain := merge (dict) ($values.settings | default dict) .root.Values.settings -}}
{{- range include "soma.schema" . | fromJsonArray -}}
{{- if eq .name "SHUTDOWN_GRACE_SECONDS" -}}
{{- index $plain .name | default .default -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Pod: what no container here needs, it does not get. */ -}}
{{- define "soma.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "soma.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{- define "soma.image" -}}
image: {{ printf "%s/soma-%s:%s" .root.Values.image.registry .app (include "soma.tag" .root) | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{- end -}}

{{- define "soma.mounts" -}}
volumeMounts:
  - { name: tmp, mountPath: /tmp }
  - { name: secrets, mountPath: /run/secrets/soma, readOnly: true }
  {{- if include "soma.servesPolicy" . }}
  - { name: policy, mountPath: /run/policy, readOnly: true }
  {{- end }}
  {{- if include "soma.keepsEvents" . }}
  - { name: events, mountPath: /var/lib/soma }
  {{- end }}
  {{- if include "soma.signsInToVault" . }}
  - { name: service-account, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true }
  {{- end }}
  {{- if include "soma.takesConnectionTypes" . }}
  - { name: connection-types, mountPath: /run/connection-types, readOnly: true }
  {{- end }}
{{- end -}}

{{- define "soma.keepsEvents" -}}
{{- include "soma.reads" (merge (dict "setting" "AUDIT_FALLBACK_FILE") .) -}}
{{- end -}}

{{- /* Nobody else gets a token of Kubernetes. */ -}}
{{- define "soma.signsInToVault" -}}
{{- range $setting := list "GATEWAY_JWT_VAULT_ROLE" "INTEGRATIONS_SECRET_BACKEND_VAULT_KUBERNETES_ROLE" -}}
{{- if include "soma.plain" (merge (dict "setting" $setting) $) -}}
{{- include "soma.reads" (merge (dict "setting" $setting) $) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Google's client learns who the pod is from the metadata of the node. */ -}}
{{- define "soma.asksGoogle" -}}
{{- $setting := "INTEGRATIONS_SECRET_BACKEND_BACKEND_TYPE" -}}
{{- if has (include "soma.plain" (merge (dict "setting" $setting) .)) (list "gcp_secret_manager" "secret_manager_cloud_b") -}}
{{- include "soma.reads" (merge (dict "setting" $setting) .) -}}
{{- end -}}
{{- end -}}

{{- define "soma.takesConnectionTypes" -}}
{{- if .root.Values.connectionTypes.configMap -}}
{{- include "soma.reads" (merge (dict "setting" "INTEGRATIONS_CONNECTION_TYPES_DIR") .) -}}
{{- end -}}
{{- end -}}

{{- define "soma.volumes" -}}
volumes:
  - name: tmp
    emptyDir: { sizeLimit: 64Mi }
  - name: secrets
    projected:
      defaultMode: 0440
      sources:
        {{- range $name, $ref := include "soma.secrets" . | fromYaml }}
        - secret:
            name: {{ $ref.name }}
            items: [{ key: {{ $ref.key }}, path: {{ $name }} }]
        {{- end }}
  {{- if or (include "soma.servesPolicy" .) (include "soma.hasAgent" .) }}
  - name: policy
    configMap: { name: {{ .root.Values.policy.configMap }} }
  {{- end }}
  {{- if include "soma.keepsEvents" . }}
  # Outlives the container and not the pod. The service itself stops at 256 MiB.
  - name: events
    emptyDir: { sizeLimit: 512Mi }
  {{- end }}
  {{- if include "soma.signsInToVault" . }}
  - name: service-account
    projected:
      defaultMode: 0440
      sources: [{ serviceAccountToken: { path: token, expirationSeconds: 3600 } }]
  {{- end }}
  {{- if include "soma.takesConnectionTypes" . }}
  - name: connection-types
    configMap: { name: {{ .root.Values.connectionTypes.configMap }} }
  {{- end }}
{{- end -}}

{{- define "soma.hasAgent" -}}
{{- if .root.Values.policy.sidecar.enabled -}}
{{- include "soma.asksPolicy" . -}}
{{- end -}}
{{- end -}}

{{- /*
The policy agent beside an app. It starts before the app, ends after it, and makes the pod unready while it
has no policies that it could verify. It fetches them from identity; in identity's own pod from its neighbour,
so that the first pod of all can start.
*/ -}}
{{- define "soma.agent" -}}
{{- $values := .root.Values.policy -}}
{{- $identity := .root.Values.apps.identity -}}
{{- $host := eq .app "identity" | ternary "localhost" (printf "%s.%s.svc.cluster.local" $identity.service .root.Release.Namespace) -}}
{{- $bundle := "bundles.somaagent01" -}}
- name: opa
  image: {{ $values.sidecar.image | quote }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  restartPolicy: Always
  {{- include "soma.containerSecurity" . | nindent 2 }}
  args:
    - run
    - --server
    # The API is for the neighbour alone; probes reach what follows.
    - --addr=127.0.0.1:8181
    - --diagnostic-addr=0.0.0.0:8282
    - --log-level=error
    - --skip-version-check
    - --set=services.identity.url=http://{{ $host }}:{{ $identity.port }}
    - --set={{ $bundle }}.service=identity
    - --set={{ $bundle }}.resource=/policy/bundles/somaagent01.tar.gz
    - --set={{ $bundle }}.polling.min_delay_seconds=5
    - --set={{ $bundle }}.polling.max_delay_seconds=10
    - --set={{ $bundle }}.signing.keyid=somaagent01
    - --set=keys.somaagent01.algorithm=ES256
    - --set-file=keys.somaagent01.key=/run/policy/{{ $values.publicKey }}
  env:
    # A decision leaves little behind beside what the agent keeps: collected four times more rarely, it
    # takes a third less of the processor. The limit of memory has it collected in time all the same.
    - { name: GOGC, value: '400' }
    - { name: GOMEMLIMIT, value: {{ $values.sidecar.memoryGoal | quote }} }
  ports:
    - { name: policy-health, containerPort: 8282 }
  readinessProbe:
    httpGet: { path: '/health?bundles', port: policy-health }
    periodSeconds: 5
    failureThreshold: 3
  livenessProbe:
    httpGet: { path: /health, port: policy-health }
    periodSeconds: 10
    failureThreshold: 3
  resources: {{- toYaml $values.sidecar.resources | nindent 4 }}
  volumeMounts:
    - { name: policy, mountPath: /run/policy, readOnly: true }
{{- end -}}
