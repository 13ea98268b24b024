import { randomInt } from 'node:crypto'

const adjectives = words(`
  able airy alert amber ample apt arctic autumn balmy blithe bold brave breezy bright brisk calm candid careful cheerful chilly
  civil clear clever cloudy coastal cobalt copper cosy crisp curious dapper daring dewy dusky eager early earnest easy evening
  faint fair fearless fleet fluent fond foggy frank fresh frosty gentle gilded glad gleaming golden good grand green hardy hazy
  hearty humble icy indigo ivory jolly jovial keen kind late lively lofty loyal lucid lunar mellow merry mild misty modest mossy
  neat nimble noble northern olive open orderly patient placid plain plucky polite prompt proud quick quiet rapid ready rosy
  ruby rustic sandy scarlet serene sharp shiny silent silver simple snowy snug solar southern sparkling spry stable steady stellar
  still stormy sturdy sunny swift tame tender thrifty tidal tidy timely tranquil trusty upbeat vernal violet vivid warm western
  wild windy wise wistful witty woven young zesty
`)

const nouns = words(`
  acorn alder anchor anvil apple aspen atlas aurora badger bay beacon beaver beech birch bison bluff bramble breeze bridge brook
  canyon cape cedar cliff clover comet compass condor coral cove crane creek crest cricket crow cypress dale dawn delta dolphin
  dove dune eagle egret elk elm ember falcon fern field finch fir fjord flint forest fox garden geyser glacier glade glen gorge
  granite grove gull harbour hare hawk hazel heath hedge heron hill holly horizon ibis inlet iris island ivy jay juniper kestrel
  kite lagoon lake lantern larch lark laurel lichen lily linden lynx magpie maple marsh marten meadow mesa mill minnow moor moss
  mountain nebula nettle newt oak oasis orchard orchid osprey otter owl oyster pebble pelican peony pine plain plateau plover pond
  poplar poppy prairie quail quarry quartz rapids raven reed reef ridge river robin rook rowan saffron sage salmon sand seal sedge
  shore sparrow spring spruce starling stone stork strait stream summit swallow swan swift tern thicket thistle thrush tide timber
  trail trout tulip tundra valley violet vista wave weir willow wolf wren yarrow yew zephyr
`)

/**
 * A name for a container that was given none: `quiet_heron`, or with a number when that is taken.
 * @param taken whether a name is in use
 * @throws nothing; after some tries a number is put behind, and numbers grow until one is free
 */
export function generateName(taken: (name: string) => boolean, random: (below: number) => number = randomInt): string {
  for (let attempt = 0; ; attempt++) {
    const name = `${adjectives[random(adjectives.length)]}_${nouns[random(nouns.length)]}${attempt < 4 ? '' : random(10 ** Math.min(attempt - 3, 9))}`
    if (!taken(name)) return name
  }
}

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/)
}
