import type { Filters } from '../interface.ts'
import type { EngineEvent } from '../types/event.ts'

/** Whether an event passes Docker's event filters (moby events/filter.go). Keys that mean nothing here filter nothing, as with Docker. */
export function passes(filters: Filters, event: EngineEvent): boolean {
  return (
    action(filters, event) &&
    exact(filters, 'type', event.Type) &&
    exact(filters, 'scope', event.scope) &&
    named(filters, 'daemon', event) &&
    named(filters, 'container', event) &&
    named(filters, 'plugin', event) &&
    named(filters, 'volume', event) &&
    named(filters, 'network', event) &&
    image(filters, event) &&
    labels(filters, event)
  )
}

const given = (filters: Filters, key: string): readonly string[] | undefined => {
  const values = filters.get(key)
  return values === undefined || values.length === 0 ? undefined : values
}

function exact(filters: Filters, key: string, ...candidates: readonly string[]): boolean {
  return given(filters, key)?.some((value) => candidates.includes(value)) ?? true
}

/** `exec_create`, `exec_start` and `health_status` carry what they are about behind a colon: the words alone match all of them. */
function action(filters: Filters, event: EngineEvent): boolean {
  const values = given(filters, 'event')
  if (values === undefined) return true
  const byBeginning = values.some((value) => value === 'exec_create' || value === 'exec_start' || value === 'health_status')
  return values.some((value) => (byBeginning ? event.Action.startsWith(value) : event.Action === value))
}

/** A container, volume … by the beginning of its id or name, whatever the event is about, as Docker has it. */
function named(filters: Filters, key: string, event: EngineEvent): boolean {
  const name = event.Actor.Attributes['name']
  return given(filters, key)?.some((value) => event.Actor.ID.startsWith(value) || name?.startsWith(value) === true) ?? true
}

function image(filters: Filters, event: EngineEvent): boolean {
  const name = event.Actor.Attributes[event.Type === 'image' ? 'name' : 'image'] ?? ''
  return exact(filters, 'image', event.Actor.ID, name, withoutTag(event.Actor.ID), withoutTag(name))
}

function withoutTag(ref: string): string {
  const colon = ref.lastIndexOf(':')
  return colon > ref.lastIndexOf('/') ? ref.slice(0, colon) : ref
}

function labels(filters: Filters, event: EngineEvent): boolean {
  return (given(filters, 'label') ?? []).every((wanted) => matchesLabel(event.Actor.Attributes, wanted))
}

/** A label filter: `key`, or `key=value`. */
export function matchesLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf('=')
  if (equals < 0) return Object.hasOwn(labels, wanted)
  return Object.hasOwn(labels, wanted.slice(0, equals)) && labels[wanted.slice(0, equals)] === wanted.slice(equals + 1)
}
