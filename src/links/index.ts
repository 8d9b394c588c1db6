export { formatEndpoint } from './identity.ts'
export { createLinks, type Links, type LinksOptions } from './links.ts'
export {
  compareStatus,
  DEFAULT_THRESHOLDS,
  type Direction,
  type Endpoint,
  type GroupBy,
  isBad,
  LINK_STATUSES,
  type Link,
  type LinkStatus,
  observed,
  type ProbeSample,
  peer,
  type Round,
  type Scope,
  type Thresholds,
} from './types.ts'
