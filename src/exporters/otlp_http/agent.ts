import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { checkServerIdentity } from 'node:tls'
import { createClientTls } from '../sending/tls.ts'
import type { Config } from './config.ts'

/**
 * Keeps connections, and goes through a proxy where there is one: CONNECT for https://, a whole URL for http://.
 * @throws {Error} naming the key that cannot be used
 */
export function createAgent(config: Config, isHttps: boolean): HttpAgent | HttpsAgent {
  const { max_idle_conns, max_idle_conns_per_host, idle_conn_timeout } = config.keepalive ?? config
  const options = {
    keepAlive: !config.disable_keep_alives,
    maxSockets: config.max_conns_per_host || Number.POSITIVE_INFINITY,
    // There is one host: whichever of the two is set.
    maxFreeSockets: max_idle_conns_per_host || max_idle_conns || Number.POSITIVE_INFINITY,
    ...(idle_conn_timeout === 0 ? {} : { timeout: idle_conn_timeout }),
    proxyEnv: proxyEnv(config.proxy_url),
  }
  if (!isHttps) return new HttpAgent(options)
  const { context, verify } = createClientTls(config.tls)
  const name = config.tls.server_name_override
  return new HttpsAgent({
    ...options,
    secureContext: context,
    rejectUnauthorized: verify,
    ...(name === ''
      ? {}
      : { servername: name, checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate) }),
  })
}

/** Closes what is idle now and, after its request, what is in use. */
export function retire(agent: HttpAgent): void {
  agent.maxFreeSockets = 0
  for (const socket of Object.values(agent.freeSockets).flat()) socket?.destroy()
}

/** A proxy of the configuration is used for every host; one of the environment heeds NO_PROXY. */
function proxyEnv(proxyUrl: string): NodeJS.ProcessEnv {
  if (proxyUrl === '') return process.env
  if (!URL.canParse(proxyUrl) || !/^https?:$/.test(new URL(proxyUrl).protocol)) {
    throw new Error('proxy_url: must be an http:// or https:// URL; write http://proxy:3128')
  }
  return { HTTP_PROXY: proxyUrl, HTTPS_PROXY: proxyUrl }
}
