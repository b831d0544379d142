import Testing

@testable import Redis

@Suite("The handshake")
struct HandshakeTests {
    private func error(_ line: String) -> RedisValue { .error(RedisServerError(line: line)) }

    @Test("only what the address asks for is said")
    func commands() {
        let endpoint = RedisAddress.Endpoint.tcp(host: "localhost", port: 6379)
        let plain = Handshake(address: RedisAddress(endpoint: endpoint), clientName: nil)
        #expect(plain.commands.map(\.wireBytes) == [RedisCommand("CLIENT", "ID").wireBytes])
        let full = Handshake(
            address: RedisAddress(endpoint: endpoint, user: "ann", password: "pw", database: 2),
            clientName: "worker")
        #expect(
            full.commands.map(\.wireBytes)
                == [
                    RedisCommand("AUTH", "ann", "pw"), RedisCommand("SELECT", 2),
                    RedisCommand("CLIENT", "SETNAME", "worker"), RedisCommand("CLIENT", "ID"),
                ].map(\.wireBytes))
    }

    @Test("a refusal ends the attempt as what it is; a forbidden CLIENT does not matter")
    func answers() throws {
        let address = RedisAddress(
            endpoint: .unix(path: "/s"), user: nil, password: "pw", database: 1)
        let handshake = Handshake(address: address, clientName: "n")
        let ok = RedisValue.status("OK")
        #expect(try handshake.clientID(from: [ok, ok, ok, .integer(9)]) == 9)
        let forbidden = error("NOPERM this user has no permissions")
        let unknown = error("ERR unknown subcommand 'ID'")
        #expect(try handshake.clientID(from: [ok, ok, forbidden, unknown]) == nil)
        let refusals: [([RedisValue], RedisError.Code)] = [
            ([error("WRONGPASS invalid"), error("NOAUTH a"), ok, ok], .authentication),
            ([error("ERR AUTH called without any password"), ok, ok, ok], .authentication),
            ([ok, error("ERR DB index is out of range"), ok, ok], .connect),
            ([ok, ok, error("LOADING Redis is loading"), ok], .connect),
            ([ok, ok, ok, error("ERR max number of clients reached")], .connect),
            ([ok, ok, ok, error("NOAUTH Authentication required.")], .authentication),
        ]
        for (replies, code) in refusals {
            let refused = #expect(throws: RedisError.self) {
                try handshake.clientID(from: replies)
            }
            #expect(refused?.code == code)
        }
    }
}
