import { type ConfigurationOptions, createConfiguration, requireConfig } from './configuration.ts'

/**
 * Resolves with 0 and prints nothing when the configuration is right.
 * @throws ConfigError
 */
export async function validate(options: ConfigurationOptions): Promise<number> {
  requireConfig(options.config)
  await createConfiguration(options).load()
  return 0
}
