/** How an option is written: text, a number, a switch (`--icc`, `--icc=false`), or a list whose flag is repeated. */
export type OptionKind = 'text' | 'number' | 'switch' | 'list'

/** One thing that can be configured: a key of engine.json (Docker's daemon.json, with some of ours) and a flag. */
export interface Option {
  readonly key: string
  /** Without the two dashes; the key when left out. */
  readonly flag?: string
  readonly short?: string
  readonly kind: OptionKind
  readonly help: string
}

/** Every option, in the order in which `--help` lists them. What values may be is in config.ts. */
export const options: readonly Option[] = [
  { key: 'hosts', flag: 'host', short: 'H', kind: 'list', help: 'where to listen: unix:///path, tcp://address:port, fd:// (from systemd)' },
  { key: 'group', short: 'G', kind: 'text', help: 'group that may use the unix socket' },
  { key: 'data-root', kind: 'text', help: 'directory of everything that lasts: images, containers, volumes' },
  { key: 'exec-root', kind: 'text', help: 'directory of what is gone at the next boot: sockets, FIFOs, network namespaces' },
  { key: 'pidfile', short: 'p', kind: 'text', help: "file for the daemon's pid" },
  { key: 'bridge', short: 'b', kind: 'text', help: "name of the default network's bridge" },
  { key: 'bip', kind: 'text', help: "the bridge's address and prefix length, 172.17.0.1/16" },
  { key: 'fixed-cidr', kind: 'text', help: "part of the bridge's subnet that containers get addresses from" },
  { key: 'ipv6', kind: 'switch', help: 'IPv6 on the default network' },
  { key: 'bip6', kind: 'text', help: "the bridge's IPv6 address and prefix length, fd00:17::1/64" },
  { key: 'fixed-cidr-v6', kind: 'text', help: 'the same of IPv6; without bip6 the subnet' },
  { key: 'default-gateway', kind: 'text', help: 'router of the default network, where it is not the bridge' },
  { key: 'default-gateway-v6', kind: 'text', help: 'the same of IPv6' },
  { key: 'host-gateway-ips', flag: 'host-gateway-ip', kind: 'list', help: 'what host-gateway stands for in --add-host, one address of each family' },
  { key: 'default-network-opts', flag: 'default-network-opt', kind: 'list', help: 'options of networks that are made without them: bridge=com.docker.network.driver.mtu=1200' },
  { key: 'default-address-pools', flag: 'default-address-pool', kind: 'list', help: 'subnets for networks: base=172.30.0.0/16,size=24' },
  { key: 'mtu', kind: 'number', help: "the containers' network MTU in bytes" },
  { key: 'ip', kind: 'text', help: 'address of the host at which ports are published that name none' },
  { key: 'icc', kind: 'switch', help: 'let containers on the default network reach each other' },
  { key: 'ip-masq', kind: 'switch', help: 'let containers reach the outside under the address of the host' },
  { key: 'nftables-table', kind: 'text', help: "name of the nftables table that is the daemon's alone" },
  { key: 'cgroup-parent', kind: 'text', help: "parent of the containers' cgroups" },
  { key: 'resolv-conf', kind: 'text', help: "the host's resolv.conf, which containers' ones are made from" },
  { key: 'dns', kind: 'list', help: 'DNS servers for containers' },
  { key: 'dns-opts', flag: 'dns-opt', kind: 'list', help: 'DNS options for containers' },
  { key: 'dns-search', kind: 'list', help: 'DNS search domains for containers' },
  { key: 'default-shm-size', kind: 'text', help: 'size of /dev/shm, 64M' },
  { key: 'default-ulimits', flag: 'default-ulimit', kind: 'list', help: 'limits for containers: nofile=1024:2048' },
  { key: 'labels', flag: 'label', kind: 'list', help: 'labels of the daemon: key=value' },
  { key: 'log-driver', kind: 'text', help: 'how the output of containers is kept: json-file, local, journald, syslog or none' },
  { key: 'log-opts', flag: 'log-opt', kind: 'list', help: 'options of that driver: max-size=10m' },
  { key: 'ledger', kind: 'switch', help: 'record kernel actions, for `engine explain`' },
  { key: 'image-max-size', kind: 'text', help: 'what images may take on the disk: the longest unused go, 20G' },
  { key: 'build-cache-max-size', kind: 'text', help: 'what the build cache may take on the disk' },
  { key: 'archive-limits', kind: 'text', help: 'what archives and layers may be like: entries, depth, sizes; as JSON' },
  { key: 'registry-mirrors', flag: 'registry-mirror', kind: 'list', help: 'URLs that are asked before Docker Hub' },
  { key: 'insecure-registries', flag: 'insecure-registry', kind: 'list', help: 'registries (host:port, or a range of addresses) without TLS, or with any certificate' },
  { key: 'registries', kind: 'text', help: 'by registry: mirrors, insecure, blocked; as JSON' },
  { key: 'certs-dirs', flag: 'certs-dir', kind: 'list', help: "directories with registries' certificates, <host:port>/*.crt" },
  { key: 'max-concurrent-downloads', kind: 'number', help: 'layers that are fetched at a time' },
  { key: 'max-concurrent-uploads', kind: 'number', help: 'layers that are sent at a time' },
  { key: 'max-download-attempts', kind: 'number', help: 'attempts at a layer that bring nothing before a pull fails' },
  { key: 'cdi-spec-dirs', flag: 'cdi-spec-dir', kind: 'list', help: 'directory with spec files of the Container Device Interface' },
  { key: 'runtimes', flag: 'add-runtime', kind: 'list', help: 'another OCI runtime: name=/path/of/program' },
  { key: 'default-runtime', kind: 'text', help: 'the runtime of containers that name none: engine, runc, crun, or one of those added' },
  { key: 'userns-remap', kind: 'text', help: "whose subordinate ids containers' users have on the host: default, name[:group] or uid[:gid]" },
  { key: 'live-restore', kind: 'switch', help: 'leave containers running when the daemon ends' },
  { key: 'shutdown-timeout', kind: 'number', help: "seconds that containers have to stop at the host's shutdown" },
  { key: 'debug', short: 'D', kind: 'switch', help: 'log everything' },
  { key: 'log-level', short: 'l', kind: 'text', help: 'debug, info, warn, error or fatal' },
  { key: 'log-format', kind: 'text', help: 'text or json' },
  { key: 'metrics-addr', kind: 'text', help: 'serve metrics for Prometheus on address:port' },
  { key: 'tls', kind: 'switch', help: 'use TLS on tcp hosts' },
  { key: 'tlsverify', kind: 'switch', help: 'use TLS and let in only clients with a certificate' },
  { key: 'tlscacert', kind: 'text', help: 'certificates that may sign those of clients' },
  { key: 'tlscert', kind: 'text', help: "the daemon's certificate" },
  { key: 'tlskey', kind: 'text', help: "the daemon's private key" },
  { key: 'shim-program', kind: 'text', help: 'path of the bundled program engine-shim' },
  { key: 'node-binary', kind: 'text', help: 'path of the Node binary that runs it' },
  { key: 'shim-managed', kind: 'switch', help: 'the shim is a service of systemd: connect to it, do not start it' },
]

/**
 * Keys of Docker's daemon.json that say what engine does anyway when they have this value, and are refused with any other: to
 * ignore them would give a user less than was asked for.
 */
export const fixedOptions: Readonly<Record<string, unknown>> = {
  'storage-driver': 'overlay2',
  'firewall-backend': 'nftables',
  'default-cgroupns-mode': 'private',
  'default-ipc-mode': 'private',
  'default-stop-timeout': 10,
  iptables: true,
  ip6tables: true,
  'ip-forward': true,
  init: false,
  experimental: false,
  rootless: false,
  'selinux-enabled': false,
  'no-new-privileges': false,
}

/** Keys of Docker's daemon.json that change nothing here that a user could miss; each is mentioned in the log. */
export const inertOptions: ReadonlySet<string> = new Set([
  'builder',
  'containerd',
  'containerd-namespace',
  'containerd-plugins-namespace',
  'features',
  'raw-logs',
  'storage-opts',
  'userland-proxy',
  'userland-proxy-path',
])

/** Keys of Docker's daemon.json that are not supported. */
export const unsupportedOptions: ReadonlySet<string> = new Set([
  'allow-direct-routing', 'authorization-plugins', 'bridge-accept-fwmark',
  'default-init', 'exec-opts', 'http-proxy', 'https-proxy',
  'init-path', 'ip-forward-no-drop', 'min-api-version', 'no-proxy', 'node-generic-resources', 'nri-opts', 'proxies',
  'seccomp-profile',
])
