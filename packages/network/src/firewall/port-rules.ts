import { isIPv4 } from 'node:net'
import { Errno, failedWith } from '@engine/linux'
import { writeSysctl } from '@engine/linux/sysctl'
import { contains, type Cidr } from '../cidr.ts'
import type { PublishedPort } from '../ports/published-port.ts'
import type { LinkNetwork } from './listing.ts'
import { writePortBridge, writePortBridgeRemoval, writePortFrame, writePorts, writePortsFlush, writePortsRemoval } from './port-ruleset.ts'

/** The published ports' part of a daemon's rules. Every change is one transaction. */
export class PortRules {
  readonly #table: string
  readonly #run: (text: string) => void
  readonly #bridges = new Map<string, readonly Cidr[]>()
  readonly #ports = new Map<string, readonly PublishedPort[]>()
  /** Who has ports on the host's loopback, by bridge. */
  readonly #loopback = new Map<string, Set<string>>()
  #relay: number | undefined

  /** @param run applies a transaction */
  constructor(table: string, run: (text: string) => void) {
    this.#table = table
    this.#run = run
  }

  /** What all of it needs; belongs into the transaction that lays the tables. */
  frame(): string {
    return writePortFrame(this.#table, this.#relay)
  }

  /** The port at which IPv6 connections are taken in for containers that have none. */
  setRelay(port: number | undefined): void {
    this.#relay = port
    this.#run(this.frame())
  }

  /** Takes up what the tables hold of bridges from before, where only they may know of it: it goes when the bridge does. */
  adopt(held: readonly LinkNetwork[]): void {
    const strangers = Map.groupBy(held.filter(({ link }) => !this.#bridges.has(link)), ({ link }) => link)
    for (const [link, networks] of strangers) this.#bridges.set(link, networks.map(({ network }) => network))
  }

  /** What a bridge's rules hold for published ports, for the transaction that lays them. */
  bridge(name: string, subnets: readonly Cidr[]): string {
    const before = this.#bridges.get(name) ?? []
    this.#bridges.set(name, subnets)
    return writePortBridgeRemoval(this.#table, name, before) + writePortBridge(this.#table, name, subnets)
  }

  /** The same away. */
  bridgeRemoval(name: string): string {
    const before = this.#bridges.get(name) ?? []
    this.#bridges.delete(name)
    this.#loopback.delete(name)
    return writePortBridgeRemoval(this.#table, name, before)
  }

  /** Opens an owner's ports. What it had open before closes. */
  open(owner: string, ports: readonly PublishedPort[]): void {
    const before = this.#ports.get(owner)
    if (before === undefined && ports.length === 0) return
    const text = (before === undefined ? '' : writePortsRemoval(this.#table, before)) + writePorts(this.#table, ports)
    this.#run(text)
    this.#ports.set(owner, ports)
    this.#routeLoopback(owner, ports)
  }

  /** Closes an owner's ports. Nothing happens when there are none. */
  close(owner: string): void {
    const ports = this.#ports.get(owner)
    if (ports === undefined) return
    this.#run(writePortsRemoval(this.#table, ports))
    this.#ports.delete(owner)
    this.#routeLoopback(owner, [])
  }

  /** Makes the rules hold exactly these owners' ports, whatever a crash left. */
  replace(all: ReadonlyMap<string, readonly PublishedPort[]>): void {
    this.#ports.clear()
    for (const [owner, ports] of all) if (ports.length > 0) this.#ports.set(owner, ports)
    this.#run(this.contents())
    this.#loopback.clear()
    for (const bridge of this.#bridges.keys()) setLoopbackRouting(bridge, false)
    for (const [owner, ports] of this.#ports) this.#routeLoopback(owner, ports)
  }

  /** Every port that is open, for a transaction that begins from nothing known. */
  contents(): string {
    return writePortsFlush(this.#table) + writePorts(this.#table, [...this.#ports.values()].flat())
  }

  /**
   * Lets loopback addresses be routed over the bridges whose containers have ports published there, and over no others: rules keep
   * containers from the host's own services on its loopback, but rules can be flushed.
   */
  #routeLoopback(owner: string, ports: readonly PublishedPort[]): void {
    const targets = [...new Set(ports.filter(reachesLoopback).map(({ target }) => target))]
    for (const [bridge, subnets] of this.#bridges) {
      const owners = this.#loopback.get(bridge) ?? new Set()
      const before = owners.size
      if (targets.some((target) => subnets.some((subnet) => contains(subnet, target)))) owners.add(owner)
      else owners.delete(owner)
      this.#loopback.set(bridge, owners)
      if (before > 0 !== owners.size > 0) setLoopbackRouting(bridge, owners.size > 0)
    }
  }
}

function setLoopbackRouting(bridge: string, on: boolean): void {
  try {
    writeSysctl(`net/ipv4/conf/${bridge}/route_localnet`, on ? '1' : '0')
  } catch (error) {
    // The bridge is being taken away.
    if (!failedWith(error, Errno.ENOENT)) throw error
  }
}

function reachesLoopback({ hostAddress, hostPort, target }: PublishedPort): boolean {
  return isIPv4(target) && hostPort !== 0 && (hostAddress === '0.0.0.0' || hostAddress.startsWith('127.'))
}
