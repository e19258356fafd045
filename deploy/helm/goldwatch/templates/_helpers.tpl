{{- define "goldwatch.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "goldwatch.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" -}}
{{- else if contains (include "goldwatch.name" .) .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "goldwatch.name" .) | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "goldwatch.selector" -}}
app.kubernetes.io/name: {{ include "goldwatch.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "goldwatch.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "goldwatch.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "goldwatch.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "goldwatch.serviceAccount" -}}
{{- default (include "goldwatch.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "goldwatch.claim" -}}
{{- default (printf "%s-history" (include "goldwatch.fullname" .)) .Values.sidecar.persistence.existingClaim -}}
{{- end -}}

{{/* "true" where the Prometheus operator's kinds are to be made. */}}
{{- define "goldwatch.monitored" -}}
{{- if or (eq (toString .Values.monitoring.enabled) "true") (and (eq (toString .Values.monitoring.enabled) "auto") (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) -}}
true
{{- end -}}
{{- end -}}

{{/* The Deployments whose rollouts are marked, each NAMESPACE/NAME, as {"all": [...]}: where there are any, serve may get them. */}}
{{- define "goldwatch.rollouts" -}}
{{- $found := list -}}
{{- range .Values.config.targets -}}
{{- with (default dict .deployments).kubernetes -}}
{{- $found = append $found (ternary . (printf "%s/%s" $.Release.Namespace .) (contains "/" .)) -}}
{{- end -}}
{{- end -}}
{{- dict "all" (uniq $found) | toJson -}}
{{- end -}}

{{/* What no schema says in plain words. */}}
{{- define "goldwatch.checked" -}}
{{- if not .Values.config.targets -}}
{{- fail "config.targets is empty: name at least one deployed model" -}}
{{- end -}}
{{- if and .Values.golden.files .Values.golden.volume -}}
{{- fail "golden.files and golden.volume are both set: keep one" -}}
{{- end -}}
{{- if not (or .Values.golden.files .Values.golden.volume) -}}
{{- fail "no golden set: set golden.files or golden.volume" -}}
{{- end -}}
{{- range $name, $_ := .Values.golden.files -}}
{{- if and (not (hasSuffix ".lock" $name)) (hasSuffix ".jsonl" $name) (not (hasKey $.Values.golden.files (printf "%s.lock" $name))) (not (hasSuffix ".baseline.jsonl" $name)) -}}
{{- fail (printf "golden.files has %s without %s.lock: run goldwatch freeze, and bring both" $name $name) -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.shape "service") (not .Values.store.secret.name) -}}
{{- fail "store.secret.name is empty: the shape service needs a Secret with the URL of a PostgreSQL database" -}}
{{- end -}}
{{- if eq .Values.shape "sidecar" -}}
{{- if not .Values.sidecar.podLabels -}}
{{- fail "sidecar.podLabels is empty: say by which labels the model's Pods are found" -}}
{{- end -}}
{{- if and (gt (int .Values.sidecar.replicas) 1) (not .Values.store.secret.name) -}}
{{- fail "sidecar.replicas is above 1 without store.secret.name: several replicas share a PostgreSQL database, or each would page" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* goldwatch.yaml */}}
{{- define "goldwatch.config" -}}
{{- $web := dict "listen" (printf "0.0.0.0:%d" (int .Values.web.port)) -}}
{{- if .Values.web.tokenSecret.name -}}
{{- $_ := set $web "token_file" (printf "/secrets/.web/%s" .Values.web.tokenSecret.key) -}}
{{- end -}}
{{- $store := dict "store" "sqlite:////data/goldwatch.db" -}}
{{- if .Values.store.secret.name -}}
{{- $store = dict "store_env" "GOLDWATCH_STORE_URL" -}}
{{- end -}}
{{- $fixed := dict "version" 1 "web" $web "alerting" (dict "owner" .Values.alerting.owner) -}}
{{- mergeOverwrite (deepCopy .Values.config) $fixed $store | toYaml -}}
{{- end -}}
