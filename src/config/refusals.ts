import { z } from 'zod'
import type { Range } from './field-info.ts'
import { goType } from './value.ts'

/** 'decode': the value has the wrong form; 'validate': its form is right and its content is not. */
export type IssueStage = 'decode' | 'validate'

/** Rides on a zod issue, for the message that is made of it. */
export interface IssueDetail {
  readonly stage: IssueStage
  /** What to write instead: the message's second line. */
  readonly remedy?: string
  /** Go's name of the struct around the field, which the Collector prints before its key although nobody wrote it. */
  readonly within?: string
}

export type Context = z.core.$RefinementCtx

/** Refuses a value from within a refinement: `ctx.addIssue(invalid('must be ...', { path: ['timeout'] }))`. */
export function invalid(message: string, options: { path?: PropertyKey[]; remedy?: string } = {}) {
  const params: IssueDetail = { stage: 'validate', ...(options.remedy === undefined ? {} : { remedy: options.remedy }) }
  return { code: 'custom' as const, message, params, path: options.path ?? [] }
}

export function refuse(ctx: Context, stage: IssueStage, message: string, remedy?: string, within?: string): never {
  const params: IssueDetail = {
    stage,
    ...(remedy === undefined ? {} : { remedy }),
    ...(within === undefined ? {} : { within }),
  }
  ctx.addIssue({ code: 'custom', message, params })
  return z.NEVER
}

export function refuseType(ctx: Context, expected: string, value: unknown, remedy?: string): never {
  if (value === undefined || value === null) return refuse(ctx, 'validate', 'is required and has no default')
  return refuse(ctx, 'decode', `expected type '${expected}', got unconvertible type '${goType(value)}'`, remedy)
}

export function inRange(ctx: Context, value: number, { min, max }: Range, print: (value: number) => string): number {
  if (min !== undefined && value < min)
    return refuse(ctx, 'validate', `must be at least ${print(min)}, got ${print(value)}`)
  if (max !== undefined && value > max)
    return refuse(ctx, 'validate', `must be at most ${print(max)}, got ${print(value)}`)
  return value
}
