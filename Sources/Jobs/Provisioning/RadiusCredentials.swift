import JobModel
import Store

extension Service {
    /// The longest user name a RADIUS packet carries, bytes.
    ///
    /// Source: RFC 2865, section 5.1: 253 bytes for the value of an attribute.
    private static let maximumUsernameBytes = 253

    /// What FreeRADIUS is to answer for this service.
    ///
    /// - Throws: `PermanentFailure` when user name or password could break out of the places they
    ///   are written to: RADIUS tools read quotes, commas and line ends as syntax.
    func radiusAccount() throws(PermanentFailure) -> RadiusAccount {
        guard !radiusUsername.isEmpty, radiusUsername.utf8.count <= Self.maximumUsernameBytes else {
            throw PermanentFailure("service \(id) has a user name of no usable length")
        }
        guard !radiusUsername.unicodeScalars.contains(where: Self.isUnsafeInUsername) else {
            throw PermanentFailure(
                "service \(id) has a user name with a control character, a quote or a comma")
        }
        guard !radiusPassword.isEmpty,
            !radiusPassword.unicodeScalars.contains(where: Self.isControl)
        else {
            throw PermanentFailure(
                "service \(id) has no password, or one with a control character")
        }
        return RadiusAccount(
            username: radiusUsername, password: radiusPassword, plan: plan, framedIP: framedIP)
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }

    private static func isUnsafeInUsername(_ scalar: Unicode.Scalar) -> Bool {
        isControl(scalar) || "\"'`,\\".unicodeScalars.contains(scalar)
    }
}
