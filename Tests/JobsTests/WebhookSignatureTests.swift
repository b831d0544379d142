import Foundation
import Testing

@testable import Jobs

@Suite("Webhook signatures")
struct WebhookSignatureTests {
    private let id = "msg_p5jXN8AQM9LWM0D4loKWxJek"
    private let time = Date(timeIntervalSince1970: 1_614_265_330)
    private let body = Array(#"{"test": 2432232314}"#.utf8)
    private let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    private func header(_ name: String, _ secrets: [String], at time: Date? = nil) throws -> String
    {
        let headers = WebhookSignature.headers(
            id: id, at: time ?? self.time, body: body, secrets: try secrets.map(WebhookSecret.init))
        return try #require(headers.first { $0.name == name }?.value)
    }

    private func isGenuine(
        _ signature: String, id: String? = nil, timestamp: String = "1614265330",
        body: [UInt8]? = nil, secret: String? = nil, after delay: TimeInterval = 0
    ) throws -> Bool {
        WebhookSignature.isGenuine(
            signature, id: id ?? self.id, timestamp: timestamp, body: body ?? self.body,
            secret: try WebhookSecret(secret ?? self.secret), now: time.addingTimeInterval(delay))
    }

    @Test("the published vector of Standard Webhooks is reproduced")
    func publishedVector() throws {
        #expect(
            try header("webhook-signature", [secret])
                == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        #expect(try header("webhook-id", [secret]) == id)
        #expect(try header("webhook-timestamp", [secret]) == "1614265330")
    }

    @Test("the guide's signature is the HMAC of the body under the secret's text")
    func guideVector() throws {
        // Python: hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        let signature = try header("X-Webhook-Signature", [secret])
        #expect(
            signature == "sha256=80ec8a89ce3cd22133a1066caecb4d04fea7467657c8514d717ec42c38a5c94c")
        #expect(WebhookSignature.isGenuine(guide: signature, body: body, secret: secret))
        #expect(!WebhookSignature.isGenuine(guide: signature, body: body + [32], secret: secret))
        #expect(!WebhookSignature.isGenuine(guide: signature, body: body, secret: secret + "x"))
        for broken in [
            "", "sha256=", "sha256=zz", "sha256=abc", "md5=00", String(signature.dropLast(2)),
        ] {
            #expect(!WebhookSignature.isGenuine(guide: broken, body: body, secret: secret))
        }
    }

    @Test("while a secret is rotated, whoever knows either of the two accepts")
    func rotation() throws {
        var random = SystemRandomNumberGenerator()
        let fresh = WebhookSecret(using: &random).text
        let signature = try header("webhook-signature", [fresh, secret])
        #expect(signature.split(separator: " ").count == 2)
        #expect(try isGenuine(signature, secret: fresh))
        #expect(try isGenuine(signature, secret: secret))
        #expect(try !isGenuine(signature, secret: WebhookSecret(using: &random).text))
        #expect(
            try header("X-Webhook-Signature", [fresh, secret])
                == header("X-Webhook-Signature", [fresh]))
    }

    @Test("any change of id, time, body or signature is noticed")
    func tampering() throws {
        let signature = try header("webhook-signature", [secret])
        #expect(try isGenuine(signature))
        #expect(try !isGenuine(signature, id: "msg_other"))
        #expect(try !isGenuine(signature, timestamp: "1614265331"))
        #expect(try !isGenuine(signature, timestamp: "soon"))
        #expect(try !isGenuine(signature, body: body.dropLast()))
        #expect(try !isGenuine(signature.replacing("v1,", with: "v2,")))
        #expect(try !isGenuine(signature.replacing("g0hM", with: "g0hN")))
        #expect(try !isGenuine(""))
        #expect(try isGenuine("v1a,AAAA v1,AAAA \(signature)"))
    }

    @Test("a signature is good for five minutes either way, and no longer")
    func freshness() throws {
        let signature = try header("webhook-signature", [secret])
        #expect(try isGenuine(signature, after: 300))
        #expect(try isGenuine(signature, after: -300))
        #expect(try !isGenuine(signature, after: 301))
        #expect(try !isGenuine(signature, after: -301))
    }

    @Test(
        "a secret that is not whsec_ and 24 to 64 bytes is refused, and not repeated",
        arguments: [
            "", "hunter2", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_!!!!",
            "whsec_" + Data(count: 23).base64EncodedString(),
            "whsec_" + Data(count: 65).base64EncodedString(),
        ])
    func unusableSecrets(text: String) {
        let error = #expect(throws: WebhookSecret.Unusable.self) { try WebhookSecret(text) }
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test("a new secret can be read back, unpadded as well, and does not show itself")
    func freshSecrets() throws {
        var random = SystemRandomNumberGenerator()
        let secret = WebhookSecret(using: &random)
        #expect(try WebhookSecret(secret.text) == secret)
        #expect(try WebhookSecret(secret.text.replacing("=", with: "")).key == secret.key)
        #expect(!"\(secret)".contains(secret.text.dropFirst(6)))
        #expect(WebhookSecret(using: &random) != secret)
    }
}
