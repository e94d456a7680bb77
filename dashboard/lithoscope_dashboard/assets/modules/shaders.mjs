// Light from where one looks, both sides lit; what is clipped or between the dots of a ghost is
// left out, so that nothing must be sorted.

export const VERTEX = `
precision highp float;
uniform mat4 modelViewMatrix;
uniform mat4 projectionMatrix;
uniform vec4 clip;
attribute vec3 position;
attribute vec3 normal;
varying float light;
varying float beyond;
void main() {
  vec4 seen = modelViewMatrix * vec4(position, 1.0);
  vec3 facing = normalize((modelViewMatrix * vec4(normal, 0.0)).xyz);
  light = 0.3 + 0.7 * abs(dot(facing, normalize(seen.xyz)));
  beyond = dot(clip.xyz, position) + clip.w;
  gl_Position = projectionMatrix * seen;
}`;

export const FRAGMENT = `
precision mediump float;
uniform vec3 colour;
uniform float ghost;
varying float light;
varying highp float beyond;
void main() {
  if (beyond < 0.0) discard;
  if (ghost > 0.5 && mod(floor(gl_FragCoord.x) + floor(gl_FragCoord.y), 2.0) > 0.5) discard;
  gl_FragColor = vec4(colour * light, 1.0);
}`;
