import Foundation

extension SettingForm where Value == String {
    /// The address of a web service, to which paths are added.
    static var webAddress: Self {
        let accepts = "https:// or http:// address without user, query and fragment"
        return SettingForm(accepts: accepts, show: \.self) { raw throws(SettingRefusal) in
            let text = try raw.onlyText(accepts)
            guard let parts = URLComponents(string: text, encodingInvalidCharacters: false),
                parts.scheme == "https" || parts.scheme == "http", parts.host?.isEmpty == false
            else { throw SettingRefusal("must be an \(accepts)") }
            // Whoever writes a password here expects it to be secret; it would not be.
            guard parts.user == nil, parts.query == nil, parts.fragment == nil else {
                throw SettingRefusal("must not hold a user, a query or a fragment")
            }
            if let port = parts.port, !(1...65_535).contains(port) {
                throw SettingRefusal("has a port outside 1…65535")
            }
            return text
        }
    }
}
