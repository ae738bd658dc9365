/** A plan as a Mermaid flowchart: spouts are rounded, bolts are boxes, sinks are cylinders, edges name their grouping. */

import { DEFAULT_STREAM } from '../topology/emits.ts';
import type { Plan, PlanComponent } from '../topology/plan.ts';

const SHAPES = { spout: ['([', '])'], bolt: ['[', ']'], sink: ['[(', ')]'] } as const;

export function mermaid(plan: Plan): string {
  const ids = new Map(plan.components.map(({ id }, at) => [id, `c${at}`]));
  const lines = ['flowchart LR'];
  for (const component of plan.components) {
    const [open, close] = SHAPES[component.kind];
    lines.push(`  ${ids.get(component.id)}${open}"${label(component)}"${close}`);
  }
  for (const { id, inputs } of plan.components) {
    for (const input of inputs) {
      const grouping = input.fields ? `${input.grouping}(${input.fields.join(', ')})` : input.grouping;
      const stream = input.stream === DEFAULT_STREAM ? [] : [input.stream];
      const text = escaped([...stream, grouping, ...(input.name === undefined ? [] : [`→ ${input.name}`])].join(' · '));
      lines.push(`  ${ids.get(input.component)} -->|"${text}"| ${ids.get(id)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function label({ id, parallelism }: PlanComponent): string {
  return escaped(parallelism > 1 ? `${id} ×${parallelism}` : id);
}

/** Within quotes Mermaid takes any text but these. */
function escaped(text: string): string {
  return text.replaceAll('#', '#35;').replaceAll('"', '#quot;');
}
