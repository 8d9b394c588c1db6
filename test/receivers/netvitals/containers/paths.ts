import type { CgroupIdentity } from '../../../../src/receivers/netvitals/containers/parse-path.ts'

/** A cgroup path as it is met in the field, where its shape comes from, and what it must be taken for. */
export interface PathCase {
  readonly path: string
  readonly source: string
  /** `key` is given where it is not the whole path. */
  readonly is: Partial<CgroupIdentity> | 'host'
}

const A = '63425c4a8b4291744a79dd9011fddc7a1f8ffda61f65d72196aa01d00cae2e2d'
const B = '49f9e8e5395d57c1083996c09e2e6f042d5fe1ec0310facab32f94912b35ce59'
const UID = '2942c55e-c9cb-428a-93f4-eaf89c1f3ce0'
const UID_ = UID.replaceAll('-', '_')
const USER = '/user.slice/user-1000.slice/user@1000.service'
const unit = (name: string) => ({ runtime: 'systemd', unit: name }) as const
const docker = (id: string) => ({ runtime: 'docker', id }) as const
const podman = (id: string) => ({ runtime: 'podman', id }) as const
const inPod = (runtime: 'containerd' | 'cri-o' | 'docker' | 'unknown', id: string, podUid = UID) => ({
  runtime,
  id,
  podUid,
})

export const PATHS: Record<string, readonly PathCase[]> = {
  Docker: [
    { path: `/docker/${A}`, source: 'dockerd 20.10, cgroupfs driver, seen', is: docker(A) },
    { path: `/docker/${A}/init`, source: 'process in a cgroup made inside', is: { ...docker(A), key: `/docker/${A}` } },
    { path: `/system.slice/docker-${A}.scope`, source: 'dockerd, systemd driver', is: docker(A) },
    {
      path: `/system.slice/docker-${A}.scope/system.slice/containerd.service`,
      source: 'kind node, its own systemd',
      is: { ...docker(A), key: `/system.slice/docker-${A}.scope` },
    },
    { path: `/docker/${A}/docker/${B}`, source: 'Docker in Docker', is: docker(B) },
    { path: `/system.slice/system.slice:docker:${A}`, source: 'systemd-style path, cgroupfs runc', is: docker(A) },
    { path: `${USER}/user.slice/docker-${A}.scope`, source: 'rootless Docker', is: docker(A) },
    {
      path: `${USER}/app.slice/docker.service`,
      source: 'rootless Docker daemon',
      is: { ...unit('docker.service'), userId: '1000' },
    },
    { path: `/limited/${A}`, source: '--cgroup-parent=/limited', is: { runtime: 'unknown', id: A } },
    { path: `/batch.slice/docker-${A}.scope`, source: '--cgroup-parent=batch.slice', is: docker(A) },
    {
      path: '/docker/buildkit/n4eu0udvbz9vfzjy71jkvgkwh',
      source: 'docker build, BuildKit',
      is: docker('n4eu0udvbz9vfzjy71jkvgkwh'),
    },
    {
      path: '/system.slice/docker-n4eu0udvbz9vfzjy71jkvgkwh.scope',
      source: 'docker build, systemd driver',
      is: docker('n4eu0udvbz9vfzjy71jkvgkwh'),
    },
    {
      path: `/docker/${A}/buildkit/n4eu0udvbz9vfzjy71jkvgkwh`,
      source: 'buildx docker-container driver',
      is: { runtime: 'unknown', id: 'n4eu0udvbz9vfzjy71jkvgkwh' },
    },
    { path: `/${A}`, source: "Docker on LXC: NeuVector's tests", is: { runtime: 'unknown', id: A } },
    { path: `/nomad.slice/docker-${A}.scope`, source: "Nomad's docker driver, systemd", is: docker(A) },
    { path: '/docker', source: 'parent of the cgroupfs driver', is: 'host' },
    { path: '/docker/buildkit', source: 'parent of build steps', is: 'host' },
    { path: '/system.slice/docker.service', source: 'dockerd and docker-proxy', is: unit('docker.service') },
  ],
  Podman: [
    { path: `/machine.slice/libpod-${A}.scope`, source: 'root, systemd driver', is: podman(A) },
    {
      path: `/machine.slice/libpod-${A}.scope/container`,
      source: 'crun',
      is: { ...podman(A), key: `/machine.slice/libpod-${A}.scope` },
    },
    { path: `/libpod_parent/libpod-${A}`, source: 'root, cgroupfs driver, 4.3, seen', is: podman(A) },
    {
      path: `/libpod_parent/libpod-${A}/inner`,
      source: 'nested, seen',
      is: { ...podman(A), key: `/libpod_parent/libpod-${A}` },
    },
    { path: `${USER}/user.slice/libpod-${A}.scope`, source: 'rootless, CgroupPath of podman inspect', is: podman(A) },
    {
      path: `${USER}/user.slice/libpod-${A}.scope/container`,
      source: 'rootless on Gentoo and openSUSE',
      is: { ...podman(A), key: `${USER}/user.slice/libpod-${A}.scope` },
    },
    {
      path: `/machine.slice/machine-libpod_pod_${B}.slice/libpod-${A}.scope`,
      source: 'pod, systemd driver',
      is: podman(A),
    },
    { path: `${USER}/user.slice/user-libpod_pod_${B}.slice/libpod-${A}.scope`, source: 'rootless pod', is: podman(A) },
    { path: `/libpod_parent/${B}/libpod-${A}`, source: 'pod, cgroupfs driver', is: podman(A) },
    { path: `/libpod_parent/${B}`, source: "a pod's own cgroup", is: 'host' },
    { path: `/machine.slice/machine-libpod_pod_${B}.slice`, source: "a pod's own slice", is: 'host' },
    { path: `/machine.slice/libpod-conmon-${A}.scope`, source: 'conmon', is: 'host' },
    { path: `${USER}/user.slice/libpod-conmon-${A}.scope`, source: "rootless conmon: Elastic's list", is: 'host' },
    { path: `${USER}/user.slice/podman-4242.scope`, source: 'rootless podman itself', is: 'host' },
    {
      path: `/machine.slice/libpod-${B}.scope/container/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${UID_}.slice/cri-containerd-${A}.scope`,
      source: 'kind on Podman',
      is: inPod('containerd', A),
    },
    { path: '/libpod_parent/conmon', source: 'conmon, cgroupfs driver', is: 'host' },
    { path: `${USER}/user.slice/podman-pause-651d8c4c.scope`, source: 'rootless pause process', is: 'host' },
    {
      path: `/system.slice/nginx.service/libpod-payload-${A}`,
      source: 'Quadlet, --cgroups=split',
      is: { ...podman(A), unit: 'nginx.service' },
    },
    {
      path: `${USER}/app.slice/redis.service/libpod-payload-${A}`,
      source: 'rootless Quadlet',
      is: { ...podman(A), unit: 'redis.service' },
    },
    {
      path: '/system.slice/nginx.service/runtime',
      source: "Quadlet's conmon",
      is: { ...unit('nginx.service'), key: '/system.slice/nginx.service' },
    },
  ],
  'containerd without Kubernetes': [
    { path: `/default/${A}`, source: 'nerdctl, cgroupfs driver', is: { runtime: 'containerd', id: A } },
    { path: '/default/web1', source: 'ctr run, seen', is: { runtime: 'containerd', id: 'web1', name: 'web1' } },
    {
      path: `/system.slice/nerdctl-${A}.scope`,
      source: 'nerdctl, systemd driver',
      is: { runtime: 'containerd', id: A },
    },
    { path: `${USER}/user.slice/nerdctl-${A}.scope`, source: 'rootless nerdctl', is: { runtime: 'containerd', id: A } },
    { path: `/k8s.io/${A}`, source: 'CRI without a cgroup parent (crictl runp)', is: { runtime: 'containerd', id: A } },
    { path: '/system.slice/containerd.service', source: 'containerd and its shims', is: unit('containerd.service') },
  ],
  Kubernetes: [
    {
      path: `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID_}.slice/cri-containerd-${A}.scope`,
      source: 'kubelet, systemd driver',
      is: inPod('containerd', A),
    },
    {
      path: `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UID_}.slice/crio-${A}.scope`,
      source: 'OpenShift, CRI-O',
      is: inPod('cri-o', A),
    },
    {
      path: `/kubepods.slice/kubepods-pod${UID_}.slice/crio-${A}.scope/container`,
      source: 'guaranteed pod, crun',
      is: { ...inPod('cri-o', A), key: `/kubepods.slice/kubepods-pod${UID_}.slice/crio-${A}.scope` },
    },
    {
      path: `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID_}.slice/docker-${A}.scope`,
      source: 'cri-dockerd',
      is: inPod('docker', A),
    },
    {
      path:
        '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod3e61c214bc3ed9ff81e21474dd6cba17.slice/cri-containerd-' +
        A,
      source: "static pod, without .scope: Coroot's tests",
      is: inPod('containerd', A, '3e61c214bc3ed9ff81e21474dd6cba17'),
    },
    {
      path: `/kubepods/burstable/pod${UID}/${A}`,
      source: 'kubelet 1.37, cgroupfs driver, seen',
      is: inPod('unknown', A),
    },
    { path: `/kubepods/besteffort/pod${UID}/${A}`, source: 'k3s', is: inPod('unknown', A) },
    { path: `/kubepods/pod${UID}/${A}`, source: 'guaranteed pod, cgroupfs driver', is: inPod('unknown', A) },
    {
      path: `/kubepods/besteffort/pod${UID}/${A}/kube-proxy`,
      source: "nested in a container: Coroot's tests",
      is: { ...inPod('unknown', A), key: `/kubepods/besteffort/pod${UID}/${A}` },
    },
    { path: `/kubepods/pod${UID}/crio-${A}`, source: 'CRI-O, cgroupfs driver', is: inPod('cri-o', A) },
    {
      path: `/kubepods/burstable/pod9729a196c4723b60ab401eaff722982d/${A}`,
      source: 'static pod',
      is: inPod('unknown', A, '9729a196c4723b60ab401eaff722982d'),
    },
    {
      path: `/kubelab/n1/kubepods/burstable/pod${UID}/${A}`,
      source: 'kubelet --cgroup-root, seen',
      is: inPod('unknown', A),
    },
    {
      path: `/kubelet/kubepods/burstable/pod${UID}/${A}`,
      source: 'kind, cgroupfs driver, inside',
      is: inPod('unknown', A),
    },
    {
      path: `/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod${UID_}.slice/cri-containerd-${A}.scope`,
      source: 'kind, inside the node',
      is: inPod('containerd', A),
    },
    {
      path: `/system.slice/docker-${B}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${UID_}.slice/cri-containerd-${A}.scope`,
      source: 'kind, seen from the host',
      is: inPod('containerd', A),
    },
    {
      path: `/docker/${B}/kubelet/kubepods/besteffort/pod${UID}/${A}`,
      source: 'kind on a cgroupfs host',
      is: inPod('unknown', A),
    },
    {
      path: `/docker/${B}/kubepods/burstable/pod${UID}/${A}`,
      source: 'minikube, docker driver; k3d',
      is: inPod('unknown', A),
    },
    {
      path: `/system.slice/containerd.service/kubepods-burstable-pod${UID_}.slice:cri-containerd:${A}`,
      source: 'systemd kubelet over a cgroupfs containerd: Coroot',
      is: inPod('containerd', A),
    },
    { path: `/kubepods/burstable/pod${UID}/${A}/docker/${B}`, source: 'Docker in a pod', is: inPod('docker', B) },
    {
      path: `/system.slice/docker-${B}.scope/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID_}.slice/docker-${A}.scope`,
      source: 'minikube, docker driver, cri-dockerd, systemd',
      is: inPod('docker', A),
    },
    {
      path: `/system.slice/docker-${B}.scope/kubepods/burstable/pod${UID}/${A}`,
      source: 'k3d on a systemd host',
      is: inPod('unknown', A),
    },
    {
      path: `/kubepods-besteffort-pod${UID_}.slice:cri-containerd:${A}`,
      source: "systemd-style path at the top: OpenTelemetry Java's issue 4507",
      is: inPod('containerd', A),
    },
    {
      path: `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UID_}.slice/docker-${A}.scope/kube-proxy`,
      source: "a container's own cgroup in it, CentOS",
      is: {
        ...inPod('docker', A),
        key: `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UID_}.slice/docker-${A}.scope`,
      },
    },
    {
      path: `/kubepods/besteffort/pod${UID}/kata_${A}`,
      source: "Kata Containers' virtual machine",
      is: { runtime: 'unknown', podUid: UID, key: `/kubepods/besteffort/pod${UID}` },
    },
    {
      path: `${USER}/k3s-rootless.service/kubepods/burstable/pod${UID}/${A}`,
      source: 'rootless k3s',
      is: inPod('unknown', A),
    },
    {
      path: `/kubepods/burstable/pod${UID}/${A}/buildkit/n4eu0udvbz9vfzjy71jkvgkwh`,
      source: 'BuildKit in a pod',
      is: inPod('unknown', 'n4eu0udvbz9vfzjy71jkvgkwh'),
    },
    {
      path: '/azure.slice/azure-walinuxagent.slice/walinuxagent.service',
      source: 'AKS',
      is: unit('walinuxagent.service'),
    },
    {
      path: '/system.slice/kube-container-runtime-monitor.service',
      source: 'GKE',
      is: unit('kube-container-runtime-monitor.service'),
    },
    { path: '/runtime.slice/containerd.service', source: 'EKS', is: unit('containerd.service') },
    { path: '/system.slice/k3s.service', source: 'k3s and what it starts', is: unit('k3s.service') },
    { path: '/system/apid', source: "Talos' services", is: 'host' },
    { path: `/kubepods/burstable/pod${UID}`, source: "a pod's own cgroup", is: { runtime: 'unknown', podUid: UID } },
    {
      path: `/kubepods.slice/kubepods-pod${UID_}.slice`,
      source: "a pod's own slice",
      is: { runtime: 'unknown', podUid: UID },
    },
    {
      path: `/kubepods.slice/kubepods-pod${UID_}.slice/crio-conmon-${A}.scope`,
      source: 'CRI-O monitor in the pod',
      is: 'host',
    },
    { path: `/system.slice/crio-conmon-${A}.scope`, source: 'CRI-O monitor', is: 'host' },
    { path: '/kubepods.slice/kubepods-burstable.slice', source: 'QoS level', is: 'host' },
    { path: '/kubepods/burstable', source: 'QoS level, cgroupfs driver', is: 'host' },
    { path: '/runtime.slice/kubelet.service', source: 'kubelet on AKS and GKE', is: unit('kubelet.service') },
    { path: '/podruntime/runtime', source: "Talos' containerd", is: 'host' },
  ],
  'ECS and Nomad': [
    {
      path: `/ecs/e39cda25f9824fe9b035e2f57e81c793/${A}`,
      source: 'ECS on EC2, cgroupfs driver',
      is: { runtime: 'unknown', id: A },
    },
    {
      path: `/ecstasks.slice/ecstasks-e95a40efbde84cbc8600660a109ec194.slice/docker-${A}.scope`,
      source: 'ECS on EC2, cgroup2',
      is: docker(A),
    },
    {
      path: '/ecs/545b896a072744d186c7fb09a45ec172/545b896a072744d186c7fb09a45ec172-3057940393',
      source: 'ECS on Fargate',
      is: { runtime: 'unknown', id: '545b896a072744d186c7fb09a45ec172-3057940393' },
    },
    {
      path: '/nomad.slice/share.slice/18df61c6-09fb-3b35-d2bd-03c0f17a9e8b.pyserver.scope',
      source: 'Nomad exec task, 1.7',
      is: { runtime: 'unknown', id: '18df61c6-09fb-3b35-d2bd-03c0f17a9e8b.pyserver', name: 'pyserver' },
    },
    {
      path: '/nomad.slice/18df61c6-09fb-3b35-d2bd-03c0f17a9e8b.pyserver.scope',
      source: 'Nomad exec task, before 1.7',
      is: { runtime: 'unknown', id: '18df61c6-09fb-3b35-d2bd-03c0f17a9e8b.pyserver', name: 'pyserver' },
    },
    {
      path: '/nomad.slice/reserve.slice/18df61c6-09fb-3b35-d2bd-03c0f17a9e8c.db.scope',
      source: 'Nomad task with cores of its own',
      is: { runtime: 'unknown', id: '18df61c6-09fb-3b35-d2bd-03c0f17a9e8c.db', name: 'db' },
    },
    {
      path: '/system.slice/garden.service/garden/6f265890-5165-7fab-6b52-18d1',
      source: "Cloud Foundry: Datadog's tests",
      is: { runtime: 'unknown', id: '6f265890-5165-7fab-6b52-18d1' },
    },
    {
      path: '/garden/good/eb7ccf0e-7d71-45a6-4dd1-1cd5/init',
      source: 'Cloud Foundry, cgroup2',
      is: {
        ...{ runtime: 'unknown', id: 'eb7ccf0e-7d71-45a6-4dd1-1cd5' },
        key: '/garden/good/eb7ccf0e-7d71-45a6-4dd1-1cd5',
      },
    },
    { path: '/system.slice/garden.service', source: 'its daemon', is: unit('garden.service') },
    { path: '/nomad.slice/share.slice', source: "Nomad's parent", is: 'host' },
  ],
  'LXC, Incus, nspawn, libvirt': [
    { path: '/lxc.payload.web1', source: 'LXC 4, Incus', is: { runtime: 'lxc', id: 'web1', name: 'web1' } },
    {
      path: '/lxc.payload.web1/system.slice/nginx.service',
      source: 'a service in it',
      is: { runtime: 'lxc', id: 'web1', name: 'web1', key: '/lxc.payload.web1' },
    },
    { path: `/lxc.payload.web1/docker/${A}`, source: 'Docker in it', is: docker(A) },
    { path: '/lxc.payload/web1', source: 'LXC 3.1', is: { runtime: 'lxc', id: 'web1', name: 'web1' } },
    {
      path: '/lxc/101/ns/init.scope',
      source: 'Proxmox VE',
      is: { runtime: 'lxc', id: '101', name: '101', key: '/lxc/101' },
    },
    {
      path: '/lxc.payload.user-1000_web1/init.scope',
      source: 'Incus, a project of a user',
      is: { runtime: 'lxc', id: 'user-1000_web1', name: 'user-1000_web1', key: '/lxc.payload.user-1000_web1' },
    },
    { path: '/system.slice/incus.service', source: "Incus' daemon and its dnsmasq", is: unit('incus.service') },
    { path: '/lxc.monitor.web1', source: "its monitor, a host's process", is: 'host' },
    {
      path: '/machine.slice/systemd-nspawn@jammy.service/payload/system.slice/ssh.service',
      source: 'machinectl start',
      is: { runtime: 'nspawn', id: 'jammy', name: 'jammy', key: '/machine.slice/systemd-nspawn@jammy.service' },
    },
    {
      path: '/machine.slice/machine-debian\\x2dtree.scope/payload',
      source: 'systemd-nspawn at a prompt',
      is: {
        runtime: 'nspawn',
        id: 'debian-tree',
        name: 'debian-tree',
        key: '/machine.slice/machine-debian\\x2dtree.scope',
      },
    },
    {
      path: '/machine.slice/machine-lxc\\x2d12345\\x2ddemo.scope/libvirt',
      source: 'libvirt, lxc driver',
      is: { runtime: 'lxc', id: 'demo', name: 'demo', key: '/machine.slice/machine-lxc\\x2d12345\\x2ddemo.scope' },
    },
    {
      path: '/machine.slice/machine-qemu\\x2d1\\x2dwin11.scope/libvirt/emulator',
      source: 'libvirt, a virtual machine',
      is: 'host',
    },
  ],
  systemd: [
    { path: '/system.slice/nginx.service', source: 'a service', is: unit('nginx.service') },
    {
      path: '/system.slice/nginx.service/worker/1',
      source: 'Delegate=yes',
      is: { ...unit('nginx.service'), key: '/system.slice/nginx.service' },
    },
    {
      path: '/system.slice/system-postgresql.slice/postgresql@14-main.service',
      source: 'instance of a template',
      is: unit('postgresql@14-main.service'),
    },
    { path: '/app.slice/app-billing.slice/billing.service', source: 'own slices', is: unit('billing.service') },
    { path: '/api.service', source: 'Slice=-.slice', is: unit('api.service') },
    { path: '/system.slice/_cpu.service', source: 'cg_escape of a name like a kernel file', is: unit('cpu.service') },
    { path: '/system.slice/ssh.socket', source: 'a listener that systemd made there', is: unit('ssh.socket') },
    { path: '/system.slice/srv-backup.mount', source: 'sshfs from fstab', is: unit('srv-backup.mount') },
    {
      path: '/system.slice/snap.microk8s.daemon-containerd.service',
      source: 'snap service',
      is: unit('snap.microk8s.daemon-containerd.service'),
    },
    {
      path: '/system.slice/snap.lxd.daemon.service',
      source: 'snap service that has containers elsewhere',
      is: unit('snap.lxd.daemon.service'),
    },
    {
      path: '/system.slice/system-getty.slice/getty@tty1.service',
      source: 'a login at the console',
      is: unit('getty@tty1.service'),
    },
    { path: '/system.slice/run-u123.service', source: 'systemd-run', is: unit('run-u123.service') },
    {
      path: `${USER}/app.slice/syncthing.service`,
      source: 'user service',
      is: { ...unit('syncthing.service'), userId: '1000' },
    },
    { path: `${USER}/init.scope`, source: 'systemd --user', is: 'host' },
    { path: `${USER}/app.slice/snap.firefox.firefox-0d3f5b2a.scope`, source: 'snap application', is: 'host' },
    { path: `${USER}/app.slice/app-flatpak-org.mozilla.firefox-4242.scope`, source: 'flatpak application', is: 'host' },
    {
      path: '/user.slice/user-0.slice/user@0.service/app.slice/backup.service',
      source: "root's own service",
      is: { ...unit('backup.service'), userId: '0' },
    },
    { path: `${USER}/app.slice/app-gnome-Alacritty-3250552.scope`, source: 'desktop application', is: 'host' },
    { path: '/user.slice/user-1000.slice/session-3.scope', source: 'login over ssh', is: 'host' },
    { path: '/init.scope', source: 'systemd itself', is: 'host' },
    { path: '/system.slice', source: 'a slice', is: 'host' },
    { path: '/', source: 'kernel, or a host without systemd', is: 'host' },
    { path: '/openrc.sshd', source: 'OpenRC', is: 'host' },
    { path: '/system.slice/.service', source: 'no name at all', is: 'host' },
    { path: '/constructor-0123456789abcdefghijklmno', source: 'a name that is a word of the language', is: 'host' },
  ],
}
