{{/*
The second container of the model's Pod, as an item of a list. It has no probe on purpose: python -m service.sidecar asks
goldwatch for its health and starts it again, and never ends by itself, so the model's Pod stays ready whatever happens here.
From a chart that has this one as a dependency: include "goldwatch.sidecar.container" .Subcharts.goldwatch
*/}}
{{- define "goldwatch.sidecar.container" -}}
- name: goldwatch
  image: {{ include "goldwatch.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [python, -m, service.sidecar]
  args: [serve, -c, /etc/goldwatch/goldwatch.yaml]
  {{- include "goldwatch.secured" . | nindent 2 }}
  {{- include "goldwatch.env" . | nindent 2 }}
  {{- include "goldwatch.mounts" . | nindent 2 }}
  ports:
    - {name: goldwatch, containerPort: {{ int .Values.web.port }}, protocol: TCP}
  resources: {{- toYaml .Values.resources | nindent 4 }}
{{- end -}}

{{/* The volumes that it mounts, as items of a list. */}}
{{- define "goldwatch.sidecar.volumes" -}}
{{ include "goldwatch.volumes" . }}
{{- end -}}

{{/* A strategic merge patch for the model's Deployment or StatefulSet. */}}
{{- define "goldwatch.sidecar.patch" -}}
spec:
  template:
    metadata:
      annotations:
        {{- include "goldwatch.annotations" . | nindent 8 }}
    spec:
      {{- if kindIs "invalid" .Values.sidecar.fsGroup | not }}
      securityContext: {fsGroup: {{ int .Values.sidecar.fsGroup }}, fsGroupChangePolicy: OnRootMismatch}
      {{- end }}
      containers:
        {{- include "goldwatch.sidecar.container" . | nindent 8 }}
      volumes:
        {{- include "goldwatch.sidecar.volumes" . | nindent 8 }}
{{- end -}}
