import type { z } from 'zod'
import { duration, object, secret } from '../../../src/config/fields.ts'

export const config = object({
  delay: duration({ min: 0 }).prefault('10ms').describe('How long each batch is held.'),
  password: secret().prefault('').describe('Opens nothing.'),
})

export type Config = z.output<typeof config>
