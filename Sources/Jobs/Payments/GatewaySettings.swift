/// Where the payment gateway is and how to log in to it.
package struct GatewaySettings: Sendable {
    /// The root of the API without a slash at the end, such as `https://api.example.com`.
    package var baseURL: String
    /// The secret key.
    package var key: GatewayKey
    /// The longest one call may take.
    package var timeout: Duration

    package init(baseURL: String, key: GatewayKey, timeout: Duration = .seconds(15)) {
        var url = baseURL
        while url.hasSuffix("/") { url.removeLast() }
        self.baseURL = url
        self.key = key
        self.timeout = timeout
    }
}

/// The secret key of the gateway; no way of printing it shows it.
package struct GatewayKey: Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    let text: String

    package init(_ text: String) { self.text = text }

    package var description: String { "<secret>" }

    package var debugDescription: String { "<secret>" }

    package var customMirror: Mirror { Mirror(self, children: []) }
}
