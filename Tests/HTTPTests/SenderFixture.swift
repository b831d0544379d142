import HTTP
import Logging
import TestSupport

/// Runs `body` with a sender that may talk to 127.0.0.1, and a server there.
func sending(
    _ limits: HTTPLimits = HTTPLimits(),
    _ body: (HTTPSender, HTTPStub) async throws -> Void
) async throws {
    try await HTTPStub.serving { stub in
        let sender = HTTPSender(
            policy: try .loopback, limits: limits, logger: Logger(label: "test"))
        do { try await body(sender, stub) } catch {
            await sender.shutdown()
            throw error
        }
        await sender.shutdown()
    }
}

/// The error of a request that must fail; `nil` when it did not.
func failure(_ sender: HTTPSender, _ request: HTTPRequest) async -> HTTPError? {
    do {
        _ = try await sender.send(request)
        return nil
    } catch { return error }
}

extension AddressPolicy {
    static var loopback: AddressPolicy {
        get throws { AddressPolicy(allowing: [try CIDR("127.0.0.1")]) }
    }
}
