import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge } from '../../src/links/judge.ts'
import { DEFAULT_THRESHOLDS, type LinkSample, type ProbeSample } from '../../src/links/types.ts'

const QUIET: LinkSample = {
  direction: 'outbound',
  scope: 'cluster',
  connects: 0,
  failures: {},
  broken: {},
  active: 0,
  segmentsSent: 0,
  dataRetransmits: 0,
  handshakeRetransmits: 0,
  bytesSent: 0,
  bytesReceived: 0,
  rttSeconds: undefined,
  latencySeconds: undefined,
  probes: undefined,
}
const TRAFFIC = {
  connects: 5,
  active: 2,
  segmentsSent: 1000,
  bytesSent: 50_000,
  bytesReceived: 50_000,
  rttSeconds: 0.001,
}

const PROBED: ProbeSample = {
  replies: 0,
  timeouts: 0,
  unreachable: 0,
  errors: 0,
  answering: 1,
  recent: 10,
  recentReplies: 10,
  neverAnswered: false,
  passes: false,
  filtered: false,
}
/** A round with one probe, which was not answered, on a link that idles. */
const UNANSWERED: ProbeSample = { ...PROBED, timeouts: 1, answering: 0, recentReplies: 9 }
const NEVER: ProbeSample = { ...UNANSWERED, neverAnswered: true, recent: 3, recentReplies: 0 }

const CASES: [what: string, sample: Partial<LinkSample>, status: string, reason: string][] = [
  ['a round without anything is idle', {}, 'idle', ''],
  ['an idle connection is idle, however slow it once was', { active: 1, rttSeconds: 3 }, 'idle', ''],
  ['traffic is ok', TRAFFIC, 'ok', ''],
  ['a connect alone is ok', { connects: 1 }, 'ok', ''],

  ['all connects timed out', { failures: { timed_out: 4 } }, 'failed', '4/4 connects timed_out'],
  [
    'half of them did, the commonest kind named',
    { connects: 3, failures: { timed_out: 1, host_unreachable: 2 } },
    'failed',
    '3/6 connects host_unreachable',
  ],
  ['one of ten timed out, the rest works', { ...TRAFFIC, connects: 9, failures: { timed_out: 1 } }, 'ok', ''],
  ['no local port left', { failures: { address_not_available: 2 } }, 'failed', '2/2 connects address_not_available'],
  ['given up with no success', { failures: { aborted: 2 } }, 'failed', '2/2 connects aborted'],
  ['given up beside successes: Happy Eyeballs', { ...TRAFFIC, failures: { aborted: 9 } }, 'ok', ''],
  [
    'given up beside successes after a SYN went unanswered',
    { ...TRAFFIC, failures: { aborted: 9 }, handshakeRetransmits: 9 },
    'failed',
    '9/14 connects aborted',
  ],
  ['SYNs resent, nothing answered', { handshakeRetransmits: 2 }, 'failed', 'no answer to SYN, 2 resent'],
  [
    'SYN-ACKs resent inside',
    { direction: 'inbound', handshakeRetransmits: 3 },
    'failed',
    'no answer to SYN-ACK, 3 resent',
  ],
  [
    'SYN-ACKs resent to the outside: a scan or a flood',
    { direction: 'inbound', scope: 'external', handshakeRetransmits: 3000 },
    'idle',
    '',
  ],
  [
    'data resent and nothing acknowledged',
    { active: 1, segmentsSent: 5, dataRetransmits: 4 },
    'failed',
    'no ACK, 4 resent',
  ],
  ['connections died of silence', { broken: { timed_out: 2 } }, 'failed', '2 connections timed out'],
  ['connections reset', { ...TRAFFIC, broken: { reset: 50 } }, 'ok', ''],
  ['data resent, but acknowledged', { segmentsSent: 5, dataRetransmits: 4, bytesSent: 1 }, 'ok', ''],

  ['all refused', { failures: { refused: 2 } }, 'refused', '2/2 connects refused'],
  ['one of ten refused', { ...TRAFFIC, connects: 9, failures: { refused: 1 } }, 'refused', '1/10 connects refused'],
  ['one of twenty refused', { ...TRAFFIC, connects: 19, failures: { refused: 1 } }, 'ok', ''],
  ['more unanswered than refused', { failures: { refused: 1, timed_out: 1 } }, 'failed', '1/2 connects timed_out'],

  [
    'two of a hundred segments resent',
    { ...TRAFFIC, segmentsSent: 100, dataRetransmits: 2 },
    'lossy',
    '2/100 segments resent',
  ],
  ['two of a thousand', { ...TRAFFIC, dataRetransmits: 2 }, 'ok', ''],
  ['one of three: chance', { ...TRAFFIC, segmentsSent: 3, dataRetransmits: 1 }, 'ok', ''],
  ['nineteen segments prove nothing', { ...TRAFFIC, connects: 0, segmentsSent: 19, dataRetransmits: 10 }, 'ok', ''],
  ['a single retransmit proves nothing', { ...TRAFFIC, segmentsSent: 20, dataRetransmits: 1 }, 'ok', ''],
  [
    'SYNs lost beside much good data: a full listen queue',
    { ...TRAFFIC, connects: 100, handshakeRetransmits: 20, segmentsSent: 1e6 },
    'lossy',
    '20/120 segments resent',
  ],
  [
    'short connections, each too small to tell',
    { ...TRAFFIC, connects: 8, segmentsSent: 16, dataRetransmits: 1, handshakeRetransmits: 1 },
    'lossy',
    '2/25 segments resent',
  ],
  ['lossy and slow is lossy', { ...TRAFFIC, dataRetransmits: 300, rttSeconds: 1 }, 'lossy', '300/1000 segments resent'],

  ['slow inside above 10 ms', { ...TRAFFIC, rttSeconds: 0.0101 }, 'slow', 'round trip above 10 ms'],
  ['not slow at 10 ms', { ...TRAFFIC, rttSeconds: 0.01 }, 'ok', ''],
  ['100 ms to the outside', { ...TRAFFIC, scope: 'external', rttSeconds: 0.1 }, 'ok', ''],
  ['201 ms to the outside', { ...TRAFFIC, scope: 'external', rttSeconds: 0.201 }, 'slow', 'round trip above 200 ms'],
  ['nobody knows where it is: no threshold', { ...TRAFFIC, scope: undefined, rttSeconds: 9 }, 'ok', ''],

  ['a probe without an answer', { active: 1, probes: UNANSWERED }, 'failed', 'no answer to a probe'],
  [
    'three of them, by policy and by ICMP',
    { active: 1, probes: { ...UNANSWERED, unreachable: 1, errors: 1 } },
    'failed',
    'no answer to 3 probes',
  ],
  ['beside TCP that gets through: chance', { ...TRAFFIC, probes: { ...UNANSWERED, passes: true } }, 'ok', ''],
  ['while another address of the name answers', { active: 2, probes: { ...UNANSWERED, answering: 1 } }, 'idle', ''],
  ['a round without a new outcome', { active: 1, probes: { ...UNANSWERED, timeouts: 0 } }, 'idle', ''],
  ['data resent, and no probe answered', { dataRetransmits: 1, probes: UNANSWERED }, 'failed', 'no ACK, 1 resent'],
  [
    'outside, where it answered before',
    { scope: 'external', active: 1, probes: UNANSWERED },
    'failed',
    'no answer to a probe',
  ],
  ['inside, where it never answered', { active: 1, probes: NEVER }, 'failed', 'no answer to a probe'],
  ['outside, where it never answered', { scope: 'external', probes: NEVER }, 'filtered', 'no answer to probes'],
  [
    'outside, never answered, and TCP cut too',
    { scope: 'external', dataRetransmits: 3, probes: NEVER },
    'failed',
    'no ACK, 3 resent',
  ],
  [
    'TCP got through while it never answered',
    { active: 1, probes: { ...NEVER, filtered: true } },
    'filtered',
    'no answer to probes',
  ],
  [
    'the same between two probes, with traffic',
    { ...TRAFFIC, probes: { ...NEVER, timeouts: 0, passes: true, filtered: true } },
    'filtered',
    'no answer to probes',
  ],
  ['the same without', { active: 1, probes: { ...NEVER, timeouts: 0, filtered: true } }, 'idle', ''],
  [
    'filtered and slow is slow',
    { ...TRAFFIC, rttSeconds: 0.02, probes: { ...NEVER, filtered: true } },
    'slow',
    'round trip above 10 ms',
  ],
  [
    'two of the last ten probes lost',
    { active: 1, probes: { ...PROBED, replies: 1, recentReplies: 8 } },
    'lossy',
    '2/10 probes unanswered',
  ],
  [
    'two of the last two hundred',
    { ...TRAFFIC, probes: { ...PROBED, replies: 9, recent: 200, recentReplies: 198 } },
    'ok',
    '',
  ],
  [
    'outside, beside segments that all passed: ICMP is limited',
    { ...TRAFFIC, scope: 'external', probes: { ...PROBED, replies: 1, recentReplies: 5 } },
    'ok',
    '',
  ],
  [
    'outside, with nothing but probes',
    { scope: 'external', active: 1, probes: { ...PROBED, replies: 1, recentReplies: 5 } },
    'lossy',
    '5/10 probes unanswered',
  ],
  [
    'a slow answer',
    { active: 1, latencySeconds: 0.0101, probes: { ...PROBED, replies: 1 } },
    'slow',
    'latency above 10 ms',
  ],
  [
    'a slow answer from outside',
    { scope: 'external', active: 1, latencySeconds: 0.201, probes: { ...PROBED, replies: 1 } },
    'slow',
    'latency above 200 ms',
  ],
  ['the same answer a round later', { active: 1, latencySeconds: 0.0101, probes: PROBED }, 'idle', ''],
]

for (const [what, sample, status, reason] of CASES) {
  test(`${what}: ${status}`, () => {
    assert.deepEqual(judge({ ...QUIET, ...sample }, DEFAULT_THRESHOLDS), { status, reason })
  })
}

test('an answered probe alone clears, and is no traffic', () => {
  const sample = { ...QUIET, active: 1, latencySeconds: 0.001, probes: { ...PROBED, replies: 1 } }
  assert.deepEqual(judge(sample, DEFAULT_THRESHOLDS), { status: 'ok', reason: '', quiet: true })
})

test('every threshold is a setting', () => {
  const thresholds = {
    failedRatio: 0.01,
    refusedRatio: 1,
    lossyRatio: 0.5,
    lossyMinSegments: 2,
    lossyMinRetransmits: 1,
    lossyMinProbes: 1,
    slowMs: { node: 1, cluster: 2, private: 3, external: 4 },
  }
  const status = (sample: Partial<LinkSample>) => judge({ ...QUIET, ...TRAFFIC, ...sample }, thresholds).status
  assert.equal(status({ connects: 99, failures: { timed_out: 1 } }), 'failed')
  assert.equal(status({ connects: 1, failures: { refused: 99 } }), 'ok')
  assert.equal(status({ segmentsSent: 2, dataRetransmits: 1 }), 'lossy')
  assert.equal(status({ dataRetransmits: 499 }), 'ok')
  assert.equal(status({ scope: 'node', rttSeconds: 0.0015 }), 'slow')
  assert.equal(status({ scope: 'private', rttSeconds: 0.0025 }), 'ok')
  assert.equal(status({ probes: { ...PROBED, replies: 1, recent: 2, recentReplies: 1 } }), 'lossy')
  assert.equal(status({ rttSeconds: 0.001, latencySeconds: 0.0025, probes: { ...PROBED, replies: 1 } }), 'slow')
})
