{{/* What every container of goldwatch has: no rights, no writable root, secrets by name. */}}
{{- define "goldwatch.secured" -}}
securityContext:
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}
  privileged: false
  readOnlyRootFilesystem: true
  runAsGroup: 65532
  runAsNonRoot: true
  runAsUser: 65532
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "goldwatch.env" -}}
env:
  - {name: GOLDWATCH_HEALTH_URL, value: "http://127.0.0.1:{{ int .Values.web.port }}/healthz"}
  {{- if .Values.store.secret.name }}
  - name: GOLDWATCH_STORE_URL
    valueFrom: {secretKeyRef: {name: {{ .Values.store.secret.name | quote }}, key: {{ .Values.store.secret.key | quote }}}}
  {{- end }}
  {{- range $name, $from := .Values.secrets.env }}
  - name: {{ $name }}
    valueFrom: {secretKeyRef: {name: {{ $from.name | quote }}, key: {{ $from.key | quote }}}}
  {{- end }}
{{- end -}}

{{- define "goldwatch.mounts" -}}
volumeMounts:
  - {name: goldwatch-config, mountPath: /etc/goldwatch, readOnly: true}
  - {name: goldwatch-golden, mountPath: /golden, readOnly: true}
  - {name: goldwatch-data, mountPath: /data}
  - {name: goldwatch-tmp, mountPath: /tmp}
  {{- if .Values.web.tokenSecret.name }}
  - {name: goldwatch-web, mountPath: /secrets/.web, readOnly: true}
  {{- end }}
  {{- range $folder, $_ := .Values.secrets.files }}
  - {name: {{ printf "goldwatch-secret-%s" $folder }}, mountPath: {{ printf "/secrets/%s" $folder }}, readOnly: true}
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "goldwatch.volumes" -}}
- name: goldwatch-config
  configMap: {name: {{ include "goldwatch.fullname" . }}}
- name: goldwatch-golden
  {{- if .Values.golden.files }}
  configMap: {name: {{ include "goldwatch.fullname" . }}-golden}
  {{- else }}
  {{- toYaml .Values.golden.volume | nindent 2 }}
  {{- end }}
- name: goldwatch-data
  {{- if and (eq .Values.shape "sidecar") (not .Values.store.secret.name) }}
  persistentVolumeClaim: {claimName: {{ include "goldwatch.claim" . | quote }}}
  {{- else }}
  emptyDir: {sizeLimit: 64Mi}
  {{- end }}
- name: goldwatch-tmp
  emptyDir: {sizeLimit: 256Mi}
{{- with .Values.web.tokenSecret.name }}
- name: goldwatch-web
  secret: {secretName: {{ . | quote }}, defaultMode: {{ include "goldwatch.secretMode" $ }}}
{{- end }}
{{- range $folder, $secret := .Values.secrets.files }}
- name: {{ printf "goldwatch-secret-%s" $folder }}
  secret: {secretName: {{ $secret | quote }}, defaultMode: {{ include "goldwatch.secretMode" $ }}}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* 0440 or 0444: read by the group where the Pod has ours, else by whoever is in the container: it is mounted nowhere else. */}}
{{- define "goldwatch.secretMode" -}}
{{- if eq .Values.shape "service" }}288{{ else }}292{{ end -}}
{{- end -}}

{{/* A changed configuration or ConfigMap of golden sets begins a new Pod; one with a fault never replaces the old. */}}
{{- define "goldwatch.annotations" -}}
goldwatch/config: {{ include "goldwatch.config" . | sha256sum | quote }}
goldwatch/golden: {{ toJson .Values.golden | sha256sum | quote }}
{{- with .Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The Pod of serve or worker. Called with (dict "root" $ "args" LIST "role" NAME). */}}
{{- define "goldwatch.pod" -}}
{{- $root := .root -}}
metadata:
  annotations:
    {{- include "goldwatch.annotations" $root | nindent 4 }}
  labels:
    {{- include "goldwatch.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
    {{- with $root.Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "goldwatch.serviceAccount" $root | quote }}
  {{- $rollouts := (include "goldwatch.rollouts" $root | fromJson).all }}
  automountServiceAccountToken: {{ and (eq .role "serve") (not (empty $rollouts)) }}
  enableServiceLinks: false
  terminationGracePeriodSeconds: 30
  securityContext:
    fsGroup: 65532
    runAsGroup: 65532
    runAsNonRoot: true
    runAsUser: 65532
    seccompProfile: {type: RuntimeDefault}
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - {name: {{ . | quote }}}
    {{- end }}
  {{- end }}
  {{- with $root.Values.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  {{- with $root.Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "goldwatch.selector" $root | nindent 10 }}
          app.kubernetes.io/component: {{ .role }}
  containers:
    - name: goldwatch
      image: {{ include "goldwatch.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: {{ toJson .args }}
      {{- include "goldwatch.secured" $root | nindent 6 }}
      {{- include "goldwatch.env" $root | nindent 6 }}
      {{- include "goldwatch.mounts" $root | nindent 6 }}
      {{- if eq .role "serve" }}
      ports:
        - {name: http, containerPort: {{ int $root.Values.web.port }}, protocol: TCP}
      startupProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 20
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
      {{- end }}
      resources: {{- toYaml .resources | nindent 8 }}
  volumes:
    {{- include "goldwatch.volumes" $root | nindent 4 }}
{{- end -}}
