// Made from metadata.yaml by generate.ts (npm run generate). Do not edit.
import type { LinkLayout, Metric, ResourceAttribute } from './schema.ts'

export const scopeName = "netvitals"

/** In the order of metadata.yaml; `enabled` is the default of the setting `metrics: {<name>: {enabled}}`. */
export const metrics = [
  {"name":"container.net.latency","description":"Last ICMP round trip from the container's network namespace to the address; NaN when the last probe was not answered.","unit":"s","type":"gauge","monotonic":false,"valueType":"double","enabled":true,"required":false},
  {"name":"container.net.probes","description":"Probes of the address by what became of them; each has exactly one result.","unit":"{probe}","type":"sum","monotonic":true,"valueType":"int","enabled":true,"required":false},
  {"name":"container.net.tcp.successful_connects","description":"Handshakes completed since the program saw the container. A connection that existed before is not counted.","unit":"{connection}","type":"sum","monotonic":true,"valueType":"int","enabled":true,"required":false},
  {"name":"container.net.tcp.failed_connects","description":"Outbound attempts that never became established.","unit":"{connection}","type":"sum","monotonic":true,"valueType":"int","enabled":true,"required":false},
  {"name":"container.net.tcp.connection_time","description":"Time from SYN to established, summed over successful outbound connects.","unit":"s","type":"sum","monotonic":true,"valueType":"double","enabled":true,"required":false},
  {"name":"container.net.tcp.active_connections","description":"Connections in ESTABLISHED or CLOSE_WAIT now, those that existed before the program included.","unit":"{connection}","type":"sum","monotonic":false,"valueType":"int","enabled":true,"required":false},
  {"name":"container.net.tcp.broken_connections","description":"Connections that ended from ESTABLISHED or CLOSE_WAIT without a FIN exchange.","unit":"{connection}","type":"sum","monotonic":true,"valueType":"int","enabled":true,"required":false},
  {"name":"container.net.tcp.retransmits","description":"Segments retransmitted, SYN and SYN-ACK included.","unit":"{segment}","type":"sum","monotonic":true,"valueType":"int","enabled":true,"required":false},
  {"name":"container.net.tcp.segments_sent","description":"Data segments sent, retransmitted ones included. Retransmits of type data over these is the loss ratio.","unit":"{segment}","type":"sum","monotonic":true,"valueType":"int","enabled":true,"required":false},
  {"name":"container.net.tcp.bytes_sent","description":"Bytes that the peer acknowledged, SYN and FIN not counted.","unit":"By","type":"sum","monotonic":true,"valueType":"int","enabled":true,"required":false},
  {"name":"container.net.tcp.bytes_received","description":"Bytes received from the peer, FIN not counted.","unit":"By","type":"sum","monotonic":true,"valueType":"int","enabled":true,"required":false},
  {"name":"container.net.tcp.rtt","description":"The kernel's smoothed round trip time, mean over the link's live connections.","unit":"s","type":"gauge","monotonic":false,"valueType":"double","enabled":true,"required":false},
  {"name":"container.net.tcp.listen","description":"A listening address of the container.","unit":"{socket}","type":"gauge","monotonic":false,"valueType":"int","enabled":false,"required":false},
  {"name":"netvitals.build.info","description":"The program that sends these metrics. It is on a resource of its own, with every cycle.","unit":"{info}","type":"gauge","monotonic":false,"valueType":"int","enabled":true,"required":true},
] as const satisfies readonly Metric[]

export type MetricName = (typeof metrics)[number]['name']

/** `enabled` is the default of the setting `resource_attributes: {<name>: {enabled}}`. */
export const resourceAttributes = [
  {"name":"service.name","description":"The workload's name, by the OpenTelemetry Kubernetes guidelines; of a systemd service its unit without the suffix.","enabled":true,"required":true},
  {"name":"service.instance.id","description":"Unique for each container. `<namespace>.<pod>.<container>` on Kubernetes, else container.id, else host.id with the unit.","enabled":true,"required":true},
  {"name":"service.namespace","description":"The workload's namespace.","enabled":true,"required":false},
  {"name":"service.version","description":"The program's version, on its own resource.","enabled":true,"required":false},
  {"name":"container.id","description":"The container's id as its runtime gives it.","enabled":true,"required":false},
  {"name":"container.name","description":"The container's name as its runtime gives it.","enabled":true,"required":false},
  {"name":"container.runtime.name","description":"The runtime that keeps the container.","enabled":true,"required":false},
  {"name":"container.image.name","description":"The image that the container was made from.","enabled":true,"required":false},
  {"name":"k8s.pod.name","description":"The pod's name.","enabled":true,"required":false},
  {"name":"k8s.pod.uid","description":"The pod's UID.","enabled":true,"required":false},
  {"name":"k8s.namespace.name","description":"The pod's namespace.","enabled":true,"required":false},
  {"name":"k8s.container.name","description":"The container's name in its pod.","enabled":true,"required":false},
  {"name":"k8s.node.name","description":"The node that the pod runs on.","enabled":true,"required":false},
  {"name":"k8s.deployment.name","description":"The Deployment that owns the pod.","enabled":true,"required":false},
  {"name":"k8s.replicaset.name","description":"The ReplicaSet that owns the pod.","enabled":true,"required":false},
  {"name":"k8s.statefulset.name","description":"The StatefulSet that owns the pod.","enabled":true,"required":false},
  {"name":"k8s.daemonset.name","description":"The DaemonSet that owns the pod.","enabled":true,"required":false},
  {"name":"k8s.job.name","description":"The Job that owns the pod.","enabled":true,"required":false},
  {"name":"k8s.cronjob.name","description":"The CronJob that owns the Job.","enabled":true,"required":false},
  {"name":"k8s.cluster.name","description":"The cluster's name.","enabled":true,"required":false},
  {"name":"host.name","description":"The host's name.","enabled":true,"required":false},
  {"name":"host.id","description":"The host's id, from /etc/machine-id.","enabled":true,"required":false},
  {"name":"systemd.unit","description":"The systemd unit.","enabled":true,"required":false},
] as const satisfies readonly ResourceAttribute[]

export type ResourceAttributeName = (typeof resourceAttributes)[number]['name']

/** The rows of each kind of link. */
export const links = {
  outbound: {
    untilReleased: false,
    ownLimit: false,
    columns: [
      {"name":"successfulConnects","metric":2,"attributes":{"direction":"outbound"},"emitted":"standing"},
      {"name":"failedConnectsRefused","metric":3,"attributes":{"error.type":"refused"},"emitted":"touched"},
      {"name":"failedConnectsTimedOut","metric":3,"attributes":{"error.type":"timed_out"},"emitted":"touched"},
      {"name":"failedConnectsHostUnreachable","metric":3,"attributes":{"error.type":"host_unreachable"},"emitted":"touched"},
      {"name":"failedConnectsNetUnreachable","metric":3,"attributes":{"error.type":"net_unreachable"},"emitted":"touched"},
      {"name":"failedConnectsAborted","metric":3,"attributes":{"error.type":"aborted"},"emitted":"touched"},
      {"name":"failedConnectsAddressNotAvailable","metric":3,"attributes":{"error.type":"address_not_available"},"emitted":"touched"},
      {"name":"failedConnectsOther","metric":3,"attributes":{"error.type":"_OTHER"},"emitted":"touched"},
      {"name":"connectionTime","metric":4,"attributes":{},"emitted":"established"},
      {"name":"activeConnections","metric":5,"attributes":{"direction":"outbound"},"emitted":"standing","role":"active"},
      {"name":"brokenConnectionsReset","metric":6,"attributes":{"direction":"outbound","error.type":"reset"},"emitted":"touched"},
      {"name":"brokenConnectionsTimedOut","metric":6,"attributes":{"direction":"outbound","error.type":"timed_out"},"emitted":"touched"},
      {"name":"brokenConnectionsAborted","metric":6,"attributes":{"direction":"outbound","error.type":"aborted"},"emitted":"touched"},
      {"name":"brokenConnectionsOther","metric":6,"attributes":{"direction":"outbound","error.type":"_OTHER"},"emitted":"touched"},
      {"name":"retransmitsData","metric":7,"attributes":{"direction":"outbound","network.tcp.retransmit.type":"data"},"emitted":"established"},
      {"name":"retransmitsHandshake","metric":7,"attributes":{"direction":"outbound","network.tcp.retransmit.type":"handshake"},"emitted":"touched"},
      {"name":"segmentsSent","metric":8,"attributes":{"direction":"outbound"},"emitted":"established"},
      {"name":"bytesSent","metric":9,"attributes":{"direction":"outbound"},"emitted":"established"},
      {"name":"bytesReceived","metric":10,"attributes":{"direction":"outbound"},"emitted":"established"},
      {"name":"rtt","metric":11,"attributes":{"direction":"outbound"},"emitted":"current","role":"rtt"},
    ],
  },
  inbound: {
    untilReleased: false,
    ownLimit: false,
    columns: [
      {"name":"successfulConnects","metric":2,"attributes":{"direction":"inbound"},"emitted":"standing"},
      {"name":"activeConnections","metric":5,"attributes":{"direction":"inbound"},"emitted":"standing","role":"active"},
      {"name":"brokenConnectionsReset","metric":6,"attributes":{"direction":"inbound","error.type":"reset"},"emitted":"touched"},
      {"name":"brokenConnectionsTimedOut","metric":6,"attributes":{"direction":"inbound","error.type":"timed_out"},"emitted":"touched"},
      {"name":"brokenConnectionsAborted","metric":6,"attributes":{"direction":"inbound","error.type":"aborted"},"emitted":"touched"},
      {"name":"brokenConnectionsOther","metric":6,"attributes":{"direction":"inbound","error.type":"_OTHER"},"emitted":"touched"},
      {"name":"retransmitsData","metric":7,"attributes":{"direction":"inbound","network.tcp.retransmit.type":"data"},"emitted":"established"},
      {"name":"retransmitsHandshake","metric":7,"attributes":{"direction":"inbound","network.tcp.retransmit.type":"handshake"},"emitted":"touched"},
      {"name":"segmentsSent","metric":8,"attributes":{"direction":"inbound"},"emitted":"established"},
      {"name":"bytesSent","metric":9,"attributes":{"direction":"inbound"},"emitted":"established"},
      {"name":"bytesReceived","metric":10,"attributes":{"direction":"inbound"},"emitted":"established"},
      {"name":"rtt","metric":11,"attributes":{"direction":"inbound"},"emitted":"current","role":"rtt"},
    ],
  },
  probe: {
    untilReleased: false,
    ownLimit: true,
    columns: [
      {"name":"latency","metric":0,"attributes":{},"emitted":"current","nan":true},
      {"name":"probesReply","metric":1,"attributes":{"result":"reply"},"emitted":"standing"},
      {"name":"probesTimeout","metric":1,"attributes":{"result":"timeout"},"emitted":"standing"},
      {"name":"probesUnreachableNetUnreachable","metric":1,"attributes":{"result":"unreachable","error.type":"net_unreachable"},"emitted":"touched"},
      {"name":"probesUnreachableHostUnreachable","metric":1,"attributes":{"result":"unreachable","error.type":"host_unreachable"},"emitted":"touched"},
      {"name":"probesUnreachableProtocolUnreachable","metric":1,"attributes":{"result":"unreachable","error.type":"protocol_unreachable"},"emitted":"touched"},
      {"name":"probesUnreachablePortUnreachable","metric":1,"attributes":{"result":"unreachable","error.type":"port_unreachable"},"emitted":"touched"},
      {"name":"probesUnreachableFragmentationNeeded","metric":1,"attributes":{"result":"unreachable","error.type":"fragmentation_needed"},"emitted":"touched"},
      {"name":"probesUnreachableSourceRouteFailed","metric":1,"attributes":{"result":"unreachable","error.type":"source_route_failed"},"emitted":"touched"},
      {"name":"probesUnreachableAdminProhibited","metric":1,"attributes":{"result":"unreachable","error.type":"admin_prohibited"},"emitted":"touched"},
      {"name":"probesUnreachableAddressUnreachable","metric":1,"attributes":{"result":"unreachable","error.type":"address_unreachable"},"emitted":"touched"},
      {"name":"probesUnreachableBeyondScope","metric":1,"attributes":{"result":"unreachable","error.type":"beyond_scope"},"emitted":"touched"},
      {"name":"probesUnreachablePolicyFailed","metric":1,"attributes":{"result":"unreachable","error.type":"policy_failed"},"emitted":"touched"},
      {"name":"probesUnreachableRejectRoute","metric":1,"attributes":{"result":"unreachable","error.type":"reject_route"},"emitted":"touched"},
      {"name":"probesUnreachablePacketTooBig","metric":1,"attributes":{"result":"unreachable","error.type":"packet_too_big"},"emitted":"touched"},
      {"name":"probesUnreachableTtlExceeded","metric":1,"attributes":{"result":"unreachable","error.type":"ttl_exceeded"},"emitted":"touched"},
      {"name":"probesUnreachableParameterProblem","metric":1,"attributes":{"result":"unreachable","error.type":"parameter_problem"},"emitted":"touched"},
      {"name":"probesUnreachableOther","metric":1,"attributes":{"result":"unreachable","error.type":"_OTHER"},"emitted":"touched"},
      {"name":"probesErrorEperm","metric":1,"attributes":{"result":"error","error.type":"EPERM"},"emitted":"touched"},
      {"name":"probesErrorEacces","metric":1,"attributes":{"result":"error","error.type":"EACCES"},"emitted":"touched"},
      {"name":"probesErrorEinval","metric":1,"attributes":{"result":"error","error.type":"EINVAL"},"emitted":"touched"},
      {"name":"probesErrorEnetunreach","metric":1,"attributes":{"result":"error","error.type":"ENETUNREACH"},"emitted":"touched"},
      {"name":"probesErrorEhostunreach","metric":1,"attributes":{"result":"error","error.type":"EHOSTUNREACH"},"emitted":"touched"},
      {"name":"probesErrorEnetdown","metric":1,"attributes":{"result":"error","error.type":"ENETDOWN"},"emitted":"touched"},
      {"name":"probesErrorEaddrnotavail","metric":1,"attributes":{"result":"error","error.type":"EADDRNOTAVAIL"},"emitted":"touched"},
      {"name":"probesErrorEmsgsize","metric":1,"attributes":{"result":"error","error.type":"EMSGSIZE"},"emitted":"touched"},
      {"name":"probesErrorEnobufs","metric":1,"attributes":{"result":"error","error.type":"ENOBUFS"},"emitted":"touched"},
      {"name":"probesErrorEagain","metric":1,"attributes":{"result":"error","error.type":"EAGAIN"},"emitted":"touched"},
      {"name":"probesErrorEnodev","metric":1,"attributes":{"result":"error","error.type":"ENODEV"},"emitted":"touched"},
      {"name":"probesErrorEafnosupport","metric":1,"attributes":{"result":"error","error.type":"EAFNOSUPPORT"},"emitted":"touched"},
      {"name":"probesErrorEmfile","metric":1,"attributes":{"result":"error","error.type":"EMFILE"},"emitted":"touched"},
      {"name":"probesErrorEnomem","metric":1,"attributes":{"result":"error","error.type":"ENOMEM"},"emitted":"touched"},
      {"name":"probesErrorOther","metric":1,"attributes":{"result":"error","error.type":"_OTHER"},"emitted":"touched"},
    ],
  },
  listen: {
    untilReleased: true,
    ownLimit: false,
    columns: [
      {"name":"listen","metric":12,"attributes":{},"emitted":"current","constant":1},
    ],
  },
  self: {
    untilReleased: true,
    ownLimit: false,
    columns: [
      {"name":"info","metric":13,"attributes":{},"emitted":"current","constant":1},
    ],
  },
} as const satisfies Record<string, LinkLayout>

/** Columns of outbound links, for `add` and `set`. */
export const Outbound = {
  successfulConnects: 0,
  failedConnectsRefused: 1,
  failedConnectsTimedOut: 2,
  failedConnectsHostUnreachable: 3,
  failedConnectsNetUnreachable: 4,
  failedConnectsAborted: 5,
  failedConnectsAddressNotAvailable: 6,
  failedConnectsOther: 7,
  connectionTime: 8,
  brokenConnectionsReset: 10,
  brokenConnectionsTimedOut: 11,
  brokenConnectionsAborted: 12,
  brokenConnectionsOther: 13,
  retransmitsData: 14,
  retransmitsHandshake: 15,
  segmentsSent: 16,
  bytesSent: 17,
  bytesReceived: 18,
} as const

/** Columns of inbound links, for `add` and `set`. */
export const Inbound = {
  successfulConnects: 0,
  brokenConnectionsReset: 2,
  brokenConnectionsTimedOut: 3,
  brokenConnectionsAborted: 4,
  brokenConnectionsOther: 5,
  retransmitsData: 6,
  retransmitsHandshake: 7,
  segmentsSent: 8,
  bytesSent: 9,
  bytesReceived: 10,
} as const

/** Columns of probe links, for `add` and `set`. */
export const Probe = {
  latency: 0,
  probesReply: 1,
  probesTimeout: 2,
  probesUnreachableNetUnreachable: 3,
  probesUnreachableHostUnreachable: 4,
  probesUnreachableProtocolUnreachable: 5,
  probesUnreachablePortUnreachable: 6,
  probesUnreachableFragmentationNeeded: 7,
  probesUnreachableSourceRouteFailed: 8,
  probesUnreachableAdminProhibited: 9,
  probesUnreachableAddressUnreachable: 10,
  probesUnreachableBeyondScope: 11,
  probesUnreachablePolicyFailed: 12,
  probesUnreachableRejectRoute: 13,
  probesUnreachablePacketTooBig: 14,
  probesUnreachableTtlExceeded: 15,
  probesUnreachableParameterProblem: 16,
  probesUnreachableOther: 17,
  probesErrorEperm: 18,
  probesErrorEacces: 19,
  probesErrorEinval: 20,
  probesErrorEnetunreach: 21,
  probesErrorEhostunreach: 22,
  probesErrorEnetdown: 23,
  probesErrorEaddrnotavail: 24,
  probesErrorEmsgsize: 25,
  probesErrorEnobufs: 26,
  probesErrorEagain: 27,
  probesErrorEnodev: 28,
  probesErrorEafnosupport: 29,
  probesErrorEmfile: 30,
  probesErrorEnomem: 31,
  probesErrorOther: 32,
} as const

/** Columns of listen links, for `add` and `set`. */
export const Listen = {
  listen: 0,
} as const

/** Columns of self links, for `add` and `set`. */
export const Self = {
  info: 0,
} as const
