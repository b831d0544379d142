import Crypto
package import Foundation
import JobModel

/// The headers that let a receiver believe a webhook.
///
/// Two schemes at once: Standard Webhooks 1.0.0 (`webhook-id`, `webhook-timestamp`,
/// `webhook-signature`), which binds the id and the time of the attempt, and the developer guide's
/// `X-Webhook-Signature: sha256=<hex>` over the body alone, keyed with the secret's text.
package enum WebhookSignature {
    /// How far a receiver's clock may be off.
    package static let tolerance: TimeInterval = 300

    /// Signs a body for one attempt; with several secrets a receiver may know any of them.
    ///
    /// The newest secret comes first; the guide's header, which holds one signature, uses that.
    package static func headers(
        id: String, at time: Date, body: [UInt8], secrets: [WebhookSecret]
    ) -> [(name: String, value: String)] {
        let timestamp = String(Int64(time.timeIntervalSince1970))
        let signatures = secrets.map { signature(id: id, timestamp, body, $0) }
        var headers = [
            (name: "webhook-id", value: id), (name: "webhook-timestamp", value: timestamp),
            (name: "webhook-signature", value: signatures.joined(separator: " ")),
        ]
        if let newest = secrets.first {
            headers.append((name: "X-Webhook-Signature", value: guideSignature(body, newest.text)))
        }
        return headers
    }

    private static func signature(
        id: String, _ timestamp: String, _ body: [UInt8], _ secret: WebhookSecret
    ) -> String {
        var code = HMAC<SHA256>(key: secret.key)
        code.update(data: Array("\(id).\(timestamp).".utf8))
        code.update(data: body)
        return "v1,\(Base64.encoded(Array(code.finalize())))"
    }

    /// The guide's `sha256=<hex>`.
    private static func guideSignature(_ body: [UInt8], _ secret: String) -> String {
        var text = Array("sha256=".utf8)
        text.reserveCapacity(text.count + 2 * SHA256.byteCount)
        let code = HMAC<SHA256>.authenticationCode(
            for: body, using: SymmetricKey(data: Array(secret.utf8)))
        for byte in code {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static let digits = Array("0123456789abcdef".utf8)

    private static func signed(id: String, _ timestamp: String, _ body: [UInt8]) -> [UInt8] {
        Array("\(id).\(timestamp).".utf8) + body
    }

    /// Whether a Standard Webhooks signature is genuine and fresh.
    ///
    /// Compares in constant time. Signatures of other versions are passed over.
    package static func isGenuine(
        _ signatures: String, id: String, timestamp: String, body: [UInt8],
        secret: WebhookSecret, now: Date
    ) -> Bool {
        guard let seconds = Int64(timestamp),
            abs(now.timeIntervalSince1970 - Double(seconds)) <= tolerance
        else { return false }
        let content = signed(id: id, timestamp, body)
        return signatures.split(separator: " ").contains { entry in
            guard entry.hasPrefix("v1,"), let code = Data(base64Encoded: String(entry.dropFirst(3)))
            else { return false }
            return HMAC<SHA256>.isValidAuthenticationCode(
                code, authenticating: content, using: secret.key)
        }
    }

    /// Whether the guide's signature is genuine; it knows no time, so it may be a replay.
    ///
    /// Compares in constant time.
    package static func isGenuine(guide signature: String, body: [UInt8], secret: String) -> Bool {
        guard signature.hasPrefix("sha256="),
            let code = bytes(hex: signature.dropFirst("sha256=".count))
        else { return false }
        return HMAC<SHA256>.isValidAuthenticationCode(
            code, authenticating: body, using: SymmetricKey(data: Data(secret.utf8)))
    }

    private static func bytes(hex: Substring) -> [UInt8]? {
        let digits = hex.utf8.map { UInt8(Character(UnicodeScalar($0)).hexDigitValue ?? 16) }
        guard digits.count.isMultiple(of: 2), digits.allSatisfy({ $0 < 16 }) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
