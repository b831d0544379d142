import Foundation

/// A private directory that is removed with its owner.
///
/// Its path is short enough for the name of a unix socket in it.
package final class TemporaryDirectory: Sendable {
    package let path: String

    package init(prefix: String = "backhaul") throws {
        let suffix = String(UInt64.random(in: .min ... .max), radix: 36)
        path = "/tmp/\(prefix)-\(suffix)"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The path of `name` in this directory.
    package func path(of name: String) -> String { "\(path)/\(name)" }
}
