// An ethereumjs peer for a look at a running relay: node tests/interop/peer.mjs ENODE [SECONDS]
// Connects, prints the relay's Status and every transaction hash that it is told, and leaves.
import { randomBytes } from 'node:crypto'
import { Common, Holesky, Hoodi, Mainnet, Sepolia } from '@ethereumjs/common'
import { DISCONNECT_REASON, ETH, EthMessageCodes, RLPx } from '@ethereumjs/devp2p'

const [url, seconds = '30', network = 'mainnet'] = process.argv.slice(2)
const match = /^enode:\/\/([0-9a-f]{128})@([0-9.]+):([0-9]+)/.exec(url ?? '')
if (!match) {
  console.error('usage: node tests/interop/peer.mjs ENODE [SECONDS] [NETWORK]')
  process.exit(2)
}
const GENESIS = {
  mainnet: 'd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3',
  sepolia: '25a5cc106eea7138acab33231d7160d69cb777ee0c2c553fcddf5138993e6dd9',
  hoodi: 'bbe312868b376a3001692a646dd2d7d1e4406380dfd86b98aa8a34d1557c971b',
  holesky: 'b5f7f912443c940f21fd611f12828d75b534364ed9e95ca4e307729a4661bde4',
}
const hex = (bytes) => Buffer.from(bytes).toString('hex')
const chain = { mainnet: Mainnet, sepolia: Sepolia, hoodi: Hoodi, holesky: Holesky }[network]
const common = new Common({ chain, hardfork: 'bpo2' })
const rlpx = new RLPx(randomBytes(32), {
  capabilities: [ETH.eth68],
  common,
  maxPeers: 1,
  listenPort: null,
  clientId: new TextEncoder().encode('ethereumjs-look/linux/node'),
})

rlpx.events.on('error', (error) => console.error(`error: ${error.message}`))
rlpx.events.on('peer:error', (_, error) => console.error(`peer error: ${error.message}`))
rlpx.events.on('peer:added', (peer) => {
  const eth = peer.getProtocols()[0]
  console.log(`connected to ${peer.getHelloMessage()?.clientId ?? 'the relay'}`)
  eth.events.on('status', () => console.log('Status agreed: the session stands'))
  eth.events.on('message', (code, payload) => {
    if (code === EthMessageCodes.NEW_POOLED_TRANSACTION_HASHES)
      for (const hash of payload[2]) console.log(`announced 0x${hex(hash)}`)
    if (code === EthMessageCodes.TX) console.log(`${payload.length} transactions in full`)
  })
  eth.sendStatus({
    td: new Uint8Array([1]),
    bestHash: Buffer.from(GENESIS[network], 'hex'),
    genesisHash: Buffer.from(GENESIS[network], 'hex'),
  })
})
rlpx.events.on('peer:removed', (_, reason) => {
  console.log(`disconnected: ${DISCONNECT_REASON[reason] ?? reason}`)
  process.exit(0)
})

await rlpx.connect({
  id: Buffer.from(match[1], 'hex'),
  address: match[2],
  tcpPort: Number(match[3]),
  udpPort: Number(match[3]),
})
setTimeout(() => process.exit(0), Number(seconds) * 1000)
