import HTTP
import Logging
import TestSupport
import Testing

@Suite("The address guard on real connections")
struct AddressGuardTests {
    /// Each names this machine, and a server listens there: only the guard can say no.
    @Test(
        "no spelling of the loopback address passes",
        arguments: [
            "127.0.0.1", "localhost", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1",
            "017700000001", "127.1", "0", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
        ])
    func loopback(host: String) async throws {
        try await HTTPStub.serving { stub in
            let sender = HTTPSender(
                policy: .publicOnly, limits: HTTPLimits(), logger: Logger(label: "test"))
            let error = await failure(
                sender, HTTPRequest(method: "GET", url: stub.url("/echo", host: host)))
            #expect(error?.code == .blockedAddress)
            #expect(error?.mayHaveBeenSent == false)
            let requests = try stub.requests()
            #expect(requests.isEmpty)
            await sender.shutdown()
        }
    }

    @Test(
        "private, link-local, metadata and embedded addresses are refused by the guard itself",
        arguments: [
            "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254",
            "168.63.129.16", "224.0.0.1", "255.255.255.255", "[fd00:ec2::254]", "[fe80::1]",
            "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::7f00:1]", "[2001:db8::1]",
        ])
    func special(host: String) async throws {
        let sender = HTTPSender(
            policy: .publicOnly, limits: HTTPLimits(), logger: Logger(label: "test"))
        let error = await failure(sender, HTTPRequest(method: "GET", url: "http://\(host)/"))
        // An unreachable network would be `.connect`: this code is given for the guard's no alone.
        #expect(error?.code == .blockedAddress)
        await sender.shutdown()
    }

    @Test("an allowed address is let in, under any spelling, and its neighbour is not")
    func allowance() async throws {
        try await sending { sender, stub in
            for host in ["127.0.0.1", "2130706433", "0x7f.1"] {
                let response = try await sender.send(
                    HTTPRequest(method: "GET", url: stub.url("/echo", host: host)))
                #expect(response.status == 200)
            }
            let neighbour = await failure(
                sender, HTTPRequest(method: "GET", url: stub.url("/echo", host: "127.0.0.2")))
            #expect(neighbour?.code == .blockedAddress)
        }
    }

    @Test("a warm connection of a permissive sender is of no use to a strict one")
    func separatePools() async throws {
        try await sending { permissive, stub in
            let request = HTTPRequest(method: "GET", url: stub.url("/echo"))
            let warm = try await permissive.send(request)
            #expect(warm.status == 200)
            let strict = HTTPSender(
                policy: .publicOnly, limits: HTTPLimits(), logger: Logger(label: "test"))
            #expect(await failure(strict, request)?.code == .blockedAddress)
            await strict.shutdown()
        }
    }
}
