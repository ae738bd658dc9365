/** Tests of librdkafka's suite that fail against our broker, by name, and the cause of each as the docs state it. */
export const causes: Readonly<Record<string, string>> = {};
