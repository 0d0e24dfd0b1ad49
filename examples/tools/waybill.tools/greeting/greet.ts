// waybill.tools/greeting/greet.ts
export default function greet({ name }: { readonly name: string }): string {
  return `Hello, ${name}!`;
}
