import Foundation

/// What the address of one kind of server looks like.
///
/// Checked at start, so that a slip in an address is named as such and not met later as a
/// connection that never comes. Messages never quote the address: it may hold a password.
struct ServerURL: Sendable {
    let accepts: String
    let schemes: [String]
    let hostIsNeeded: Bool
    /// What may follow the host, said of the whole path; `nil` when anything may.
    let path: (@Sendable (String) throws(SettingRefusal) -> Void)?

    static let redis = ServerURL(
        accepts: "redis://[user:password@]host[:port][/database]", schemes: ["redis"],
        hostIsNeeded: true
    ) { path throws(SettingRefusal) in
        let database = path.drop { $0 == "/" }
        guard database.isEmpty || Int(database).map({ (0...65_535).contains($0) }) == true else {
            throw SettingRefusal("must end in a database number, such as /0")
        }
    }

    static let postgres = ServerURL(
        accepts: "postgresql://[user:password@]host[:port]/database",
        schemes: ["postgresql", "postgres"], hostIsNeeded: false, path: nil)

    static let http = ServerURL(
        accepts: "http:// or https:// address without user, query and fragment",
        schemes: ["https", "http"], hostIsNeeded: true, path: nil)

    /// Accepts an address or says what is wrong with it.
    func check(_ text: String) throws(SettingRefusal) {
        guard let separator = text.range(of: "://") else {
            throw SettingRefusal("must look like \(accepts)")
        }
        let scheme = text[..<separator.lowerBound]
        guard schemes.contains(String(scheme)) else {
            if scheme == "rediss" {
                throw SettingRefusal(
                    "asks for TLS (rediss), which is not spoken here; use a TLS tunnel and redis://"
                )
            }
            throw SettingRefusal("must begin with \(schemes[0])://")
        }
        guard let parts = URLComponents(string: text, encodingInvalidCharacters: false) else {
            throw SettingRefusal(
                "is not a URL; characters such as @ : / in a password are written as %40 %3A %2F")
        }
        if hostIsNeeded, parts.host?.isEmpty ?? true { throw SettingRefusal("names no host") }
        if let port = parts.port, !(1...65_535).contains(port) {
            throw SettingRefusal("has a port outside 1…65535")
        }
        if schemes.contains("http") {
            guard parts.user == nil, parts.query == nil, parts.fragment == nil else {
                throw SettingRefusal("must not hold a user, a query or a fragment")
            }
        }
        try path?(parts.path)
    }
}
