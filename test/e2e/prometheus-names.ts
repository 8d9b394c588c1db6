import type { Point } from './otlp-json.ts'

/** A label as Prometheus' OTLP translation writes it. @see https://github.com/prometheus/otlptranslator label_namer.go */
export function labelName(attribute: string): string {
  return attribute.replaceAll(/[^a-zA-Z0-9_]/g, '_')
}

/** The labels of a point's own attributes. */
export function attributeLabels({ attributes }: Pick<Point, 'attributes'>): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).map(([key, value]) => [labelName(key), String(value)]))
}
